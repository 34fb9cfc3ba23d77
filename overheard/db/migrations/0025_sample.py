"""A sample of recent items, and the share of each source's items that is taken into it."""

from peewee import *


def up(migrator, db):
    class Item(Model):
        id = BigAutoField()

        class Meta:
            database = db
            table_name = "item"

    class Sample(Model):
        item = ForeignKeyField(Item, on_delete="CASCADE", primary_key=True)
        source = TextField()
        place = TextField()
        priority = DoubleField()
        share = DoubleField()
        at = DoubleField(index=True)

        class Meta:
            database = db
            table_name = "sample"
            indexes = ((("source", "priority"), False),)

    class SampleSource(Model):
        source = TextField(primary_key=True)
        share = DoubleField(default=1)
        since = DoubleField()

        class Meta:
            database = db
            table_name = "sample_source"

    db.create_tables([Sample, SampleSource])


def down(migrator, db):
    # Before the table that says so: what only the sample has must not stay behind without it.
    db.execute_sql(
        "DELETE FROM item WHERE id IN (SELECT item_id FROM sample)"
        " AND NOT EXISTS (SELECT 1 FROM mention WHERE mention.item_id = item.id)"
    )
    migrator.migrate(migrator.drop_table("sample"))
    migrator.migrate(migrator.drop_table("sample_source"))
