"""Many feeds of a source whose items have numbers can be read together by these. Gaps are filled from the top down."""


def up(migrator, db):
    db.execute_sql('ALTER TABLE "feed_group" ADD COLUMN "by_number" BOOLEAN NOT NULL DEFAULT FALSE')
    db.execute_sql('ALTER TABLE "feed_group" ADD COLUMN "pace" DOUBLE PRECISION')
    db.execute_sql('DROP INDEX "gap_state_next_number"')
    db.execute_sql('ALTER TABLE "gap" RENAME COLUMN "next_number" TO "first_number"')
    db.execute_sql('CREATE INDEX "gap_state_last_number" ON "gap" ("state", "last_number")')


def down(migrator, db):
    db.execute_sql('DROP INDEX "gap_state_last_number"')
    db.execute_sql('ALTER TABLE "gap" RENAME COLUMN "first_number" TO "next_number"')
    db.execute_sql('CREATE INDEX "gap_state_next_number" ON "gap" ("state", "next_number")')
    db.execute_sql('ALTER TABLE "feed_group" DROP COLUMN "pace"')
    db.execute_sql('ALTER TABLE "feed_group" DROP COLUMN "by_number"')
