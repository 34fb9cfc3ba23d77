"""Rechecks look for one source's items: those of sources that are never asked would be passed over again and again."""


def up(migrator, db):
    migrator.migrate(migrator.drop_index("item", "item_checked_at"))
    db.execute_sql("CREATE INDEX item_source_checked_at ON item (source, checked_at)")


def down(migrator, db):
    migrator.migrate(migrator.drop_index("item", "item_source_checked_at"))
    db.execute_sql("CREATE INDEX item_checked_at ON item (checked_at)")
