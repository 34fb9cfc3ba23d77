"""The feed that was read the longest time ago is one look into an index."""

from peewee import *


def up(migrator, db):
    migrator.migrate(migrator.add_index("feed", ("failures", "fresh_at")))


def down(migrator, db):
    migrator.migrate(migrator.drop_index("feed", "feed_failures_fresh_at"))
