"""Folding, routing rules, quiet hours, mutes and reports."""

from peewee import *

COLUMNS = {
    "workspace": {
        "quiet": "TEXT NOT NULL DEFAULT ''",
        "working": "TEXT NOT NULL DEFAULT ''",
    },
    "query": {"flood_reported_at": "DOUBLE PRECISION"},
    "channel": {
        "min_gap": "DOUBLE PRECISION NOT NULL DEFAULT 0",
        "max_per_hour": "INTEGER NOT NULL DEFAULT 60",
        "summary_every": "DOUBLE PRECISION NOT NULL DEFAULT 30",
        "queries": "TEXT NOT NULL DEFAULT '[]'",
        "wake_at": "DOUBLE PRECISION NOT NULL DEFAULT 0",
        "reported_at": "DOUBLE PRECISION",
    },
    "mention": {"read_at": "DOUBLE PRECISION NOT NULL DEFAULT 0"},
    "delivery": {
        "kind": "TEXT NOT NULL DEFAULT 'mention'",
        "period_start": "DOUBLE PRECISION",
        "held_by": "TEXT",
        "query": "INTEGER",
        "link": "TEXT",
        "content": "TEXT",
    },
}
REPLACED_INDEXES = {"delivery_channel_id_state_attempts_due_at": '("channel_id", "state", "attempts", "due_at")'}
INDEXES = {
    "delivery_channel_id_state_kind_attempts_due_at": '("channel_id", "state", "kind", "attempts", "due_at")',
    "delivery_channel_id_state_sent_at": '("channel_id", "state", "sent_at")',
    "delivery_channel_id_link": '("channel_id", "link")',
}


def up(migrator, db):
    for table, columns in COLUMNS.items():
        for column, kind in columns.items():
            db.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "{column}" {kind}')
    db.execute_sql("UPDATE delivery SET kind = 'digest' WHERE period_end IS NOT NULL")
    db.execute_sql("UPDATE delivery SET held_by = 'digest' WHERE state IN ('held', 'bundled')")
    for name in REPLACED_INDEXES:
        db.execute_sql(f'DROP INDEX "{name}"')
    # What was disabled long ago is not news.
    db.execute_sql("UPDATE channel SET reported_at = disabled_at")
    for name, columns in INDEXES.items():
        db.execute_sql(f'CREATE INDEX "{name}" ON "delivery" {columns}')

    class Workspace(Model):
        id = AutoField()

        class Meta:
            database = db
            table_name = "workspace"

    class Delivery(Model):
        id = TextField(primary_key=True)

        class Meta:
            database = db
            table_name = "delivery"

    class Mute(Model):
        id = AutoField()
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        query = TextField(default="")
        author = TextField(default="")
        place = TextField(default="")
        thread = TextField(default="")
        until = DoubleField(null=True)

        class Meta:
            database = db
            table_name = "mute"

    class FailedTry(Model):
        id = BigAutoField()
        delivery = ForeignKeyField(Delivery, on_delete="CASCADE")
        at = DoubleField()
        error = TextField()

        class Meta:
            database = db
            table_name = "failed_try"

    db.create_tables([Mute, FailedTry])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("failed_try"))
    migrator.migrate(migrator.drop_table("mute"))
    # An older version knows neither of them, and would send what is muted or a report without its content.
    db.execute_sql(
        "UPDATE delivery SET state = 'pending', bundle = NULL WHERE bundle IN"
        " (SELECT id FROM delivery WHERE kind IN ('summary', 'mention') AND state IN ('pending', 'held'))"
    )
    db.execute_sql("UPDATE delivery SET state = 'pending' WHERE state = 'held' AND held_by = 'channel disabled'")
    db.execute_sql("DELETE FROM delivery WHERE kind IN ('summary', 'report') OR state = 'muted'")
    db.execute_sql("UPDATE channel SET mode = 'instant' WHERE mode = 'both'")
    for name in INDEXES:
        db.execute_sql(f'DROP INDEX "{name}"')
    for name, columns in REPLACED_INDEXES.items():
        db.execute_sql(f'CREATE INDEX "{name}" ON "delivery" {columns}')
    for table, columns in COLUMNS.items():
        for column in columns:
            db.execute_sql(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
