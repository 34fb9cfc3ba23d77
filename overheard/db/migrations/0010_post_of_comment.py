"""The comments below a post are one look into an index."""

from peewee import *

POST = {
    True: "substr(permalink, instr(permalink, '/comments/') + 10,"
    " instr(substr(permalink, instr(permalink, '/comments/') + 10), '/') - 1)",
    False: "split_part(split_part(permalink, '/comments/', 2), '/', 1)",
}


def up(migrator, db):
    post = POST[isinstance(db, SqliteDatabase)]
    db.execute_sql(f"CREATE INDEX item_post ON item (({post})) WHERE kind = 'comment'")


def down(migrator, db):
    migrator.migrate(migrator.drop_index("item", "item_post"))
