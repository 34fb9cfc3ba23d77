"""A source that refuses the login is told from one that is away, by a column, not by words in its reason."""

from peewee import *


def up(migrator, db):
    migrator.migrate(migrator.add_column("source", "revoked", BooleanField(default=False)))


def down(migrator, db):
    migrator.migrate(migrator.drop_column("source", "revoked"))
