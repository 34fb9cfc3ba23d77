"""Each query has the revision of its own latest change: match loads changed queries, not whole workspaces."""

from peewee import *


def up(migrator, db):
    db.execute_sql("ALTER TABLE query ADD COLUMN revision BIGINT NOT NULL DEFAULT 1")
    db.execute_sql("CREATE INDEX query_revision_id ON query (revision, id)")


def down(migrator, db):
    migrator.migrate(migrator.drop_index("query", "query_revision_id"))
    db.execute_sql("ALTER TABLE query DROP COLUMN revision")
