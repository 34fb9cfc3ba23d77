"""What the operator is to be told."""

from peewee import *


def up(migrator, db):
    class Incident(Model):
        kind = TextField()
        what = TextField()
        count = IntegerField()
        last_at = DoubleField()

        class Meta:
            database = db
            table_name = "incident"
            primary_key = CompositeKey("kind", "what")

    db.create_tables([Incident])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("incident"))
