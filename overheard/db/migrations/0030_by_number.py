"""Many feeds of a source whose items have numbers can be read together by these."""


def up(migrator, db):
    db.execute_sql('ALTER TABLE "feed_group" ADD COLUMN "by_number" BOOLEAN NOT NULL DEFAULT FALSE')
    db.execute_sql('ALTER TABLE "feed_group" ADD COLUMN "pace" DOUBLE PRECISION')


def down(migrator, db):
    db.execute_sql('ALTER TABLE "feed_group" DROP COLUMN "by_number"')
    db.execute_sql('ALTER TABLE "feed_group" DROP COLUMN "pace"')
