"""A reading is noted once for its group, not for each of its feeds. ``feed.fresh_at`` NULL: as fresh as its group."""


def up(migrator, db):
    db.execute_sql('ALTER TABLE "feed_group" ADD COLUMN "fresh_at" DOUBLE PRECISION NOT NULL DEFAULT 0')
    db.execute_sql(
        'UPDATE "feed_group" SET "fresh_at" = '
        'COALESCE((SELECT MAX("fresh_at") FROM "feed" WHERE "feed"."group_id" = "feed_group"."id"), 0)'
    )
    db.execute_sql('CREATE INDEX "feedgroup_fresh_at" ON "feed_group" ("fresh_at")')
    db.execute_sql('ALTER TABLE "feed" ADD COLUMN "rated_at" DOUBLE PRECISION NOT NULL DEFAULT 0')
    db.execute_sql(
        'UPDATE "feed" SET "rated_at" = '
        'COALESCE((SELECT "fresh_at" FROM "feed_group" WHERE "feed_group"."id" = "feed"."group_id"), 0)'
    )
    db.execute_sql('ALTER TABLE "feed" RENAME COLUMN "fresh_at" TO "was_fresh_at"')
    db.execute_sql('ALTER TABLE "feed" ADD COLUMN "fresh_at" DOUBLE PRECISION')
    db.execute_sql('UPDATE "feed" SET "fresh_at" = "was_fresh_at"')
    db.execute_sql('DROP INDEX "feed_failures_fresh_at"')
    db.execute_sql('ALTER TABLE "feed" DROP COLUMN "was_fresh_at"')
    db.execute_sql('CREATE INDEX "feed_failures_fresh_at" ON "feed" ("failures", "fresh_at")')


def down(migrator, db):
    db.execute_sql('ALTER TABLE "feed" ADD COLUMN "was_fresh_at" DOUBLE PRECISION NOT NULL DEFAULT 0')
    db.execute_sql(
        'UPDATE "feed" SET "was_fresh_at" = COALESCE('
        '"fresh_at", (SELECT "fresh_at" FROM "feed_group" WHERE "feed_group"."id" = "feed"."group_id"), 0)'
    )
    db.execute_sql('DROP INDEX "feed_failures_fresh_at"')
    db.execute_sql('ALTER TABLE "feed" DROP COLUMN "fresh_at"')
    db.execute_sql('ALTER TABLE "feed" RENAME COLUMN "was_fresh_at" TO "fresh_at"')
    db.execute_sql('CREATE INDEX "feed_failures_fresh_at" ON "feed" ("failures", "fresh_at")')
    db.execute_sql('ALTER TABLE "feed" DROP COLUMN "rated_at"')
    db.execute_sql('DROP INDEX "feedgroup_fresh_at"')
    db.execute_sql('ALTER TABLE "feed_group" DROP COLUMN "fresh_at"')
