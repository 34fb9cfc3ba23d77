"""Items know their language, and whether they are for adults only; ``url`` is what a post links to, and nothing else.

It was a text post's own page on Reddit, and on Mastodon the page by which a status is looked up.
"""

COLUMNS = ("lang TEXT NOT NULL DEFAULT ''", "nsfw BOOLEAN NOT NULL DEFAULT FALSE", "lookup TEXT NOT NULL DEFAULT ''")


def up(migrator, db):
    for column in COLUMNS:
        db.execute_sql(f"ALTER TABLE item ADD COLUMN {column}")
    db.execute_sql("UPDATE item SET url = '' WHERE source = 'reddit' AND url = permalink")
    db.execute_sql("UPDATE item SET lookup = ref || ' ' || url, url = '' WHERE source = 'mastodon' AND url <> ''")


def down(migrator, db):
    db.execute_sql("UPDATE item SET url = permalink WHERE source = 'reddit' AND kind = 'post' AND url = ''")
    db.execute_sql("UPDATE item SET url = substr(lookup, length(ref) + 2) WHERE source = 'mastodon' AND lookup <> ''")
    for column in COLUMNS:
        db.execute_sql(f"ALTER TABLE item DROP COLUMN {column.split()[0]}")
