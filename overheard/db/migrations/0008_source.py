"""Source health: whether a source answers, visible to all processes and not only to the one that reads it."""

from peewee import *


def up(migrator, db):
    class Source(Model):
        name = TextField(primary_key=True)
        read_at = DoubleField(null=True)
        failing_since = DoubleField(null=True)
        retry_at = DoubleField(null=True)
        reason = TextField(null=True)

        class Meta:
            database = db
            table_name = "source"

    db.create_tables([Source])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("source"))
