"""A workspace file may limit a query to places, sources and kinds."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE query ADD COLUMN scope TEXT NOT NULL DEFAULT '{}'")


def down(migrator, db):
    db.execute_sql("ALTER TABLE query DROP COLUMN scope")
