"""How far a backfill has got, for each place that it searches: an interrupted one resumes there."""

from peewee import *


def up(migrator, db):
    class Workspace(Model):
        class Meta:
            database = db
            table_name = "workspace"

    class Backfill(Model):
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE", index=False)
        source = TextField()
        place = TextField()
        query = TextField(default="")
        kinds = TextField()
        since = DoubleField()
        until = DoubleField()
        position = TextField(null=True)
        oldest = DoubleField(null=True)
        newest = DoubleField(null=True)
        items = IntegerField(default=0)
        mentions = IntegerField(default=0)
        finished_at = DoubleField(null=True)

        class Meta:
            database = db
            table_name = "backfill"
            primary_key = CompositeKey("workspace", "source", "place")

    db.create_tables([Backfill])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("backfill"))
