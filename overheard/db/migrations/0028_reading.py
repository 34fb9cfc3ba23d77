"""The rate of each feed, with which feeds it is read, and when the planner last asked for a group."""

COLUMNS = {
    "feed": {"rate": "DOUBLE PRECISION", "rate_seconds": "DOUBLE PRECISION NOT NULL DEFAULT 0", "bin": "INTEGER"},
    "feed_group": {"asked_at": "DOUBLE PRECISION NOT NULL DEFAULT 0"},
}


def up(migrator, db):
    for table, columns in COLUMNS.items():
        for column, kind in columns.items():
            db.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "{column}" {kind}')
    db.execute_sql('CREATE INDEX "feed_bin" ON "feed" ("bin")')


def down(migrator, db):
    db.execute_sql('DROP INDEX "feed_bin"')
    for table, columns in COLUMNS.items():
        for column in columns:
            db.execute_sql(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
