"""On SQLite, too, no id is given a second time: messages under way know rows by it, and outlive them.

A column becomes AUTOINCREMENT only by making its table anew, as https://sqlite.org/lang_altertable.html
("Making Other Kinds Of Table Schema Changes") has it. ``migrate`` has turned foreign keys off: else a table that is
dropped would take along all that refers to it.
"""

from peewee import SqliteDatabase

TABLES = ("workspace", "query", "channel", "feed", "mention", "dead_letter")
KEY = '"id" INTEGER NOT NULL PRIMARY KEY'


def up(migrator, db):
    if not isinstance(db, SqliteDatabase):
        return
    if db.pragma("foreign_keys"):
        raise RuntimeError("foreign keys are on: rows would go with the tables that are made anew")
    astray = _astray(db)
    for table in TABLES:
        _rebuild(db, table)
    # Of workspaces that went it is known which ids they had.
    db.execute_sql("INSERT INTO sqlite_sequence SELECT 'workspace', 0 WHERE NOT EXISTS (SELECT 1 FROM workspace)")
    db.execute_sql(
        "UPDATE sqlite_sequence SET seq = max(seq, (SELECT coalesce(max(workspace_id), 0) FROM change))"
        " WHERE name = 'workspace'"
    )
    if _astray(db) != astray:
        raise RuntimeError("rows have lost what they refer to; nothing was changed")


def _astray(db):
    return sorted(db.execute_sql("PRAGMA foreign_key_check").fetchall())


def _rebuild(db, table):
    made = "SELECT type, sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC"
    (_, old), *indexes = db.execute_sql(made, (table,)).fetchall()
    if "AUTOINCREMENT" in old:
        return  # it was taken back, which leaves this as it is
    begins = f'CREATE TABLE "{table}" ({KEY}, '
    if not old.startswith(begins):
        raise RuntimeError(f"the table {table} was made in another way: {old}")
    new = f'CREATE TABLE "{table}_new" ({KEY} AUTOINCREMENT, {old.removeprefix(begins)}'
    db.execute_sql(new)
    db.execute_sql(f'INSERT INTO "{table}_new" SELECT * FROM "{table}"')  # noqa: S608
    db.execute_sql(f'DROP TABLE "{table}"')
    db.execute_sql(f'ALTER TABLE "{table}_new" RENAME TO "{table}"')
    for _, index in indexes:
        db.execute_sql(index)


def down(migrator, db):
    """Leave the tables as they are: the older release works with them, too."""
