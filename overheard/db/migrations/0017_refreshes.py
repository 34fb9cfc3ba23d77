"""A workspace is asked to be read, and was last read, for each source that it watches."""

from peewee import *

MOVED = ("demanded_at", "served_at", "waiting_since")


def up(migrator, db):
    class Workspace(Model):
        class Meta:
            database = db
            table_name = "workspace"

    class Refresh(Model):
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE", index=False)
        source = TextField()
        demanded_at = DoubleField(default=0)
        served_at = DoubleField(default=0)
        waiting_since = DoubleField(null=True, index=True)

        class Meta:
            database = db
            table_name = "refresh"
            primary_key = CompositeKey("workspace", "source")

    db.create_tables([Refresh])
    db.execute_sql(
        "INSERT INTO refresh (workspace_id, source, demanded_at, served_at, waiting_since)"
        " SELECT DISTINCT w.id, f.source, w.demanded_at, w.served_at, w.waiting_since"
        " FROM workspace w JOIN watch v ON v.workspace_id = w.id JOIN feed f ON f.id = v.feed_id"
    )
    migrator.migrate(migrator.drop_index("workspace", "workspace_waiting_since"))
    for column in MOVED:
        db.execute_sql(f"ALTER TABLE workspace DROP COLUMN {column}")


def down(migrator, db):
    db.execute_sql("ALTER TABLE workspace ADD COLUMN demanded_at DOUBLE PRECISION NOT NULL DEFAULT 0")
    db.execute_sql("ALTER TABLE workspace ADD COLUMN served_at DOUBLE PRECISION NOT NULL DEFAULT 0")
    db.execute_sql("ALTER TABLE workspace ADD COLUMN waiting_since DOUBLE PRECISION")
    db.execute_sql("CREATE INDEX workspace_waiting_since ON workspace (waiting_since)")
    for column, best in (("demanded_at", "max"), ("served_at", "max"), ("waiting_since", "min")):
        least = "NULL" if column == "waiting_since" else "0"
        db.execute_sql(
            f"UPDATE workspace SET {column} = coalesce((SELECT {best}({column}) FROM refresh"  # noqa: S608
            f" WHERE refresh.workspace_id = workspace.id), {least})"
        )
    migrator.migrate(migrator.drop_table("refresh"))
