"""Dead letters that can be replayed: a refused event's type, and the lease of a replay."""

from peewee import *


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("dead_letter", "routing_key", TextField(null=True)),
        migrator.add_column("dead_letter", "lease_until", DoubleField(default=0)),
    )


def down(migrator, db):
    migrator.migrate(
        migrator.drop_column("dead_letter", "routing_key"),
        migrator.drop_column("dead_letter", "lease_until"),
    )
