"""The rate of each feed, with which feeds it is read, and when the planner last asked for a group."""

COLUMNS = {
    "feed": {"rate": "DOUBLE PRECISION", "bin": "INTEGER"},
    "feed_group": {"asked_at": "DOUBLE PRECISION NOT NULL DEFAULT 0"},
}


def up(migrator, db):
    for table, columns in COLUMNS.items():
        for column, kind in columns.items():
            db.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "{column}" {kind}')


def down(migrator, db):
    for table, columns in COLUMNS.items():
        for column in columns:
            db.execute_sql(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
