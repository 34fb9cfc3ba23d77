"""Feeds are read in groups that stay together; a cursor is the source's own text; a gap is a row with its bounds.

A cursor was the largest id read, which says nothing of what else was: each feed begins anew, in a group of its own, two
minutes before the newest item that it had.
"""

from peewee import *

DROPPED = ("cursor", "cursor_at", "poll", "lease_until", "gaps")


def up(migrator, db):
    class FeedGroup(Model):
        source = TextField()
        kind = TextField()
        cursor = TextField(null=True)
        began_at = DoubleField()
        read_at = DoubleField()
        room = IntegerField(null=True)
        poll = TextField(null=True, index=True)
        lease_until = DoubleField(default=0)

        class Meta:
            database = db
            table_name = "feed_group"

    class Feed(Model):
        class Meta:
            database = db
            table_name = "feed"

    class Gap(Model):
        id = BigAutoField()
        feed = ForeignKeyField(Feed, on_delete="CASCADE")
        from_item = TextField(null=True)
        from_at = DoubleField(null=True)
        to_item = TextField(null=True)
        to_at = DoubleField(null=True)
        reason = TextField()
        found_at = DoubleField(index=True)
        state = TextField(default="open")
        filled_at = DoubleField(null=True)

        class Meta:
            database = db
            table_name = "gap"

    db.create_tables([FeedGroup, Gap])
    db.execute_sql("ALTER TABLE feed ADD COLUMN group_id INTEGER REFERENCES feed_group (id) ON DELETE CASCADE")
    db.execute_sql("CREATE INDEX feed_group_id ON feed (group_id)")
    db.execute_sql(
        "INSERT INTO feed_group (id, source, kind, began_at, read_at, lease_until)"
        " SELECT id, source, kind, coalesce(cursor_at - 120, created_at), coalesce(cursor_at - 120, created_at), 0"
        " FROM feed"
    )
    db.execute_sql("UPDATE feed SET group_id = id")
    if not isinstance(db, SqliteDatabase):
        db.execute_sql("SELECT setval('feed_group_id_seq', coalesce(max(id), 0) + 1, false) FROM feed_group")
    for column in DROPPED:
        db.execute_sql(f"ALTER TABLE feed DROP COLUMN {column}")


def down(migrator, db):
    for column, kind in (
        ("cursor", "BIGINT"),
        ("cursor_at", "DOUBLE PRECISION"),
        ("poll", "TEXT"),
        ("lease_until", "DOUBLE PRECISION NOT NULL DEFAULT 0"),
        ("gaps", "INTEGER NOT NULL DEFAULT 0"),
    ):
        db.execute_sql(f"ALTER TABLE feed ADD COLUMN {column} {kind}")
    migrator.migrate(migrator.drop_index("feed", "feed_group_id"))
    db.execute_sql("ALTER TABLE feed DROP COLUMN group_id")
    migrator.migrate(migrator.drop_table("gap"), migrator.drop_table("feed_group"))
