"""Name the column as messages and JSON do: ``backfilled``. Both databases rename it without rewriting rows."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE mention RENAME COLUMN silent TO backfilled")


def down(migrator, db):
    db.execute_sql("ALTER TABLE mention RENAME COLUMN backfilled TO silent")
