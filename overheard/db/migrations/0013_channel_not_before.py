"""Channels that fail are left alone as a whole: until when, and how often in a row they have failed."""

from peewee import *

NEVER = [SQL("DEFAULT 0")]  # a constant: both databases add the column without touching the rows


def up(migrator, db):
    for name, field in (
        ("failures", IntegerField(default=0, constraints=NEVER)),
        ("not_before", DoubleField(default=0, constraints=NEVER)),
    ):
        migrator.migrate(migrator.add_column("channel", name, field, allow_not_null=True))


def down(migrator, db):
    migrator.migrate(
        migrator.drop_column("channel", "not_before"),
        migrator.drop_column("channel", "failures"),
    )
