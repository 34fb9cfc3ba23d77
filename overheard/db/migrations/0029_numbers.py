"""Gaps are filled by the items' numbers; second looks; and what a source says of a feed's place.

And of each budget, what it has saved for a burst, and what its server counts.
"""

COLUMNS = {
    "gap": {"next_number": "BIGINT", "last_number": "BIGINT"},
    "poll": {"numbers": "TEXT"},
    "feed_group": {
        "looked_at": "DOUBLE PRECISION NOT NULL DEFAULT 0",
        "look_asked_at": "DOUBLE PRECISION NOT NULL DEFAULT 0",
    },
    "feed": {"place_ref": "TEXT", "place_checked_at": "DOUBLE PRECISION NOT NULL DEFAULT 0"},
    "budget": {
        "saved_tat": "DOUBLE PRECISION NOT NULL DEFAULT 0",
        "resets_at": "DOUBLE PRECISION",
        "expected": "DOUBLE PRECISION",
    },
}


GAP_FILLING = (
    'CREATE TABLE "gap_filling" ("source" TEXT NOT NULL, "kind" TEXT NOT NULL, "poll" TEXT, '
    '"lease_until" DOUBLE PRECISION NOT NULL DEFAULT 0, "asked_at" DOUBLE PRECISION NOT NULL DEFAULT 0, '
    'PRIMARY KEY ("source", "kind"))'
)


def up(migrator, db):
    for table, columns in COLUMNS.items():
        for column, kind in columns.items():
            db.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "{column}" {kind}')
    db.execute_sql('UPDATE "budget" SET "saved_tat" = "tat"')
    db.execute_sql('CREATE INDEX "gap_state_next_number" ON "gap" ("state", "next_number")')
    db.execute_sql(GAP_FILLING)


def down(migrator, db):
    db.execute_sql('DROP TABLE "gap_filling"')
    db.execute_sql('DROP INDEX "gap_state_next_number"')
    for table, columns in COLUMNS.items():
        for column in columns:
            db.execute_sql(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
