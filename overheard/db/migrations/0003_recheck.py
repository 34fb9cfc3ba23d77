"""Rechecks and erasure: when an item was last asked about, and what must not be stored again."""

from peewee import *

# A constant: both databases add the column without touching the rows. Nobody has asked about any of them: all are due.
NEVER = [SQL("DEFAULT 0")]


def up(migrator, db):
    class Erased(Model):
        key = TextField(primary_key=True)
        at = DoubleField()

        class Meta:
            database = db
            table_name = "erased"

    db.create_tables([Erased])
    for name, field in (
        ("checked_at", DoubleField(default=0, constraints=NEVER)),
        ("lease_until", DoubleField(default=0, constraints=NEVER)),
    ):
        migrator.migrate(migrator.add_column("item", name, field, allow_not_null=True))
    migrator.migrate(migrator.add_column("item", "absent_since", DoubleField(null=True)))

    class Item(Model):
        author = TextField(null=True)

        class Meta:
            database = db
            table_name = "item"

    migrator.migrate(migrator.add_index("item", ("checked_at",)))
    db.execute(Item.index(fn.LOWER(Item.author), name="item_author_lower"))


def down(migrator, db):
    migrator.migrate(
        migrator.drop_index("item", "item_author_lower"),
        migrator.drop_index("item", "item_checked_at"),
        migrator.drop_column("item", "absent_since"),
        migrator.drop_column("item", "lease_until"),
        migrator.drop_column("item", "checked_at"),
        migrator.drop_table("erased"),
    )
