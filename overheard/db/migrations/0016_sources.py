"""Source and place are in every key; mentions know their queries by id; comments know their threads.

Everything that is stored is Reddit's, or the canary's. A query that was removed before leaves its name behind in the
mentions that it found: it becomes a row that matches nothing.
"""

import json
import re

from peewee import *

BATCH = 2000
CANARY = "t3_canary"
POST = re.compile(r"/comments/([0-9a-z]{1,12})/")
ITEM = (
    "ALTER TABLE item RENAME COLUMN name TO ref",
    "ALTER TABLE item RENAME COLUMN subreddit TO place",
    "ALTER TABLE item ADD COLUMN source TEXT NOT NULL DEFAULT 'reddit'",
    "ALTER TABLE item ADD COLUMN thread TEXT",
    "ALTER TABLE item ADD COLUMN thread_title TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE item ADD COLUMN texts TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE item ADD COLUMN edited_at DOUBLE PRECISION",
    f"UPDATE item SET source = 'canary' WHERE substr(ref, 1, {len(CANARY)}) = '{CANARY}'",  # noqa: S608
    "UPDATE item SET thread = ref WHERE kind = 'post'",
    "UPDATE item SET thread_title = title, title = '', url = '' WHERE kind = 'comment'",
)
OTHERS = (
    "ALTER TABLE feed RENAME COLUMN name TO place",
    "ALTER TABLE watch ADD COLUMN kinds TEXT NOT NULL DEFAULT ''",
    "UPDATE watch SET kinds = CASE (SELECT kind FROM feed WHERE feed.id = watch.feed_id)"
    " WHEN 'posts' THEN 'post' ELSE 'comment' END",
    "ALTER TABLE query ADD COLUMN removed_at DOUBLE PRECISION",
    "ALTER TABLE workspace ADD COLUMN internal BOOLEAN NOT NULL DEFAULT FALSE",
    "UPDATE workspace SET internal = TRUE WHERE id IN (SELECT workspace_id FROM watch"
    " JOIN feed ON feed.id = watch.feed_id WHERE feed.source = 'canary')",
    "ALTER TABLE feed ADD COLUMN internal BOOLEAN NOT NULL DEFAULT FALSE",
    "UPDATE feed SET internal = TRUE WHERE source = 'canary'",
    "UPDATE erased SET key = 'reddit:' || key",
    "ALTER TABLE mention RENAME COLUMN queries TO query_ids",
)


def up(migrator, db):
    migrator.migrate(migrator.drop_index("item", "item_name"), migrator.drop_index("item", "item_post"))
    for statement in (*ITEM, *OTHERS):
        db.execute_sql(statement)
    _threads(db)
    db.execute_sql("CREATE UNIQUE INDEX item_source_ref ON item (source, ref)")
    db.execute_sql("CREATE INDEX item_source_thread ON item (source, thread)")
    migrator.migrate(migrator.drop_index("feed", "feed_source_kind_name"))
    db.execute_sql("CREATE UNIQUE INDEX feed_source_kind_place ON feed (source, kind, place)")
    _query_ids(db)


def _threads(db):
    class Item(Model):
        id = BigAutoField()
        kind = TextField()
        permalink = TextField()
        thread = TextField(null=True)

        class Meta:
            database = db
            table_name = "item"

    for rows in _batches(Item.select(Item.id, Item.permalink).where(Item.kind == "comment"), Item.id):
        found = [(Item(id=key), POST.search(permalink)) for key, permalink in rows]
        some = []
        for item, link in found:
            if link:
                item.thread = f"t3_{link[1]}"
                some.append(item)
        if some:
            Item.bulk_update(some, [Item.thread], batch_size=400)


def _query_ids(db):
    class Query(Model):
        workspace_id = IntegerField()
        name = TextField()
        text = TextField()
        removed_at = DoubleField(null=True)

        class Meta:
            database = db
            table_name = "query"

    class Mention(Model):
        id = BigAutoField()
        workspace_id = IntegerField()
        query_ids = TextField()

        class Meta:
            database = db
            table_name = "mention"

    ids = {
        (workspace, name): key
        for key, workspace, name in Query.select(Query.id, Query.workspace_id, Query.name).tuples()
    }
    for rows in _batches(Mention.select(Mention.id, Mention.workspace_id, Mention.query_ids), Mention.id):
        changed: dict[tuple[int, str], list[int]] = {}
        for key, workspace, names in rows:
            changed.setdefault((workspace, names), []).append(key)
        for (workspace, names), keys in changed.items():
            for name in json.loads(names):
                if (workspace, name) not in ids:
                    ids[workspace, name] = Query.insert(
                        workspace_id=workspace, name=name, text="", removed_at=0.0
                    ).execute()
            wanted = json.dumps(sorted(ids[workspace, name] for name in json.loads(names)), separators=(",", ":"))
            for start in range(0, len(keys), 400):
                Mention.update(query_ids=wanted).where(Mention.id.in_(keys[start : start + 400])).execute()


def _batches(query, key):
    last = 0
    while rows := list(query.where(key > last).order_by(key).limit(BATCH).tuples()):
        yield rows
        last = rows[-1][0]


BACK = (
    "UPDATE item SET title = thread_title WHERE kind = 'comment'",
    "ALTER TABLE item RENAME COLUMN ref TO name",
    "ALTER TABLE item RENAME COLUMN place TO subreddit",
    *(f"ALTER TABLE item DROP COLUMN {name}" for name in ("source", "thread", "thread_title", "texts", "edited_at")),
    "ALTER TABLE feed RENAME COLUMN place TO name",
    "ALTER TABLE feed DROP COLUMN internal",
    "ALTER TABLE watch DROP COLUMN kinds",
    "ALTER TABLE workspace DROP COLUMN internal",
    "UPDATE erased SET key = substr(key, 8) WHERE substr(key, 1, 7) = 'reddit:'",
    "ALTER TABLE mention RENAME COLUMN query_ids TO queries",
)
LINK = {
    True: "substr(permalink, instr(permalink, '/comments/') + 10,"
    " instr(substr(permalink, instr(permalink, '/comments/') + 10), '/') - 1)",
    False: "split_part(split_part(permalink, '/comments/', 2), '/', 1)",
}


def down(migrator, db):
    """Go back, for Reddit's items: those of other sources are not understood there."""
    for index in ("item_source_ref", "item_source_thread"):
        migrator.migrate(migrator.drop_index("item", index))
    migrator.migrate(migrator.drop_index("feed", "feed_source_kind_place"))
    _query_names(db)
    db.execute_sql("DELETE FROM query WHERE removed_at IS NOT NULL")
    db.execute_sql("ALTER TABLE query DROP COLUMN removed_at")
    for statement in BACK:
        db.execute_sql(statement)
    db.execute_sql("CREATE UNIQUE INDEX item_name ON item (name)")
    db.execute_sql("CREATE UNIQUE INDEX feed_source_kind_name ON feed (source, kind, name)")
    link = LINK[isinstance(db, SqliteDatabase)]
    db.execute_sql(f"CREATE INDEX item_post ON item (({link})) WHERE kind = 'comment'")


def _query_names(db):
    class Query(Model):
        name = TextField()

        class Meta:
            database = db
            table_name = "query"

    class Mention(Model):
        id = BigAutoField()
        query_ids = TextField()

        class Meta:
            database = db
            table_name = "mention"

    names = dict(Query.select(Query.id, Query.name).tuples())
    for rows in _batches(Mention.select(Mention.id, Mention.query_ids), Mention.id):
        for key, ids in rows:
            wanted = json.dumps([names[each] for each in json.loads(ids) if each in names])
            Mention.update(query_ids=wanted).where(Mention.id == key).execute()
