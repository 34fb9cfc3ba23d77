"""Mentions know which terms of the queries were found where."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE mention ADD COLUMN why TEXT NOT NULL DEFAULT '[]'")


def down(migrator, db):
    db.execute_sql("ALTER TABLE mention DROP COLUMN why")
