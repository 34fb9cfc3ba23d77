"""Workspaces remember since when they wait for a run: the age of the oldest work is one look into an index."""

from peewee import *


def up(migrator, db):
    migrator.migrate(migrator.add_column("workspace", "waiting_since", DoubleField(null=True, index=True)))


def down(migrator, db):
    migrator.migrate(migrator.drop_index("workspace", "workspace_waiting_since"))
    migrator.migrate(migrator.drop_column("workspace", "waiting_since"))
