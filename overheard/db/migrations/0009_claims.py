"""What was tried least, and what a claim holds, are a look into an index, however much waits in the channel."""

from peewee import *

INDEXES = (("channel_id", "state", "attempts", "due_at"), ("channel_id", "state", "lease_until"))


def up(migrator, db):
    migrator.migrate(*(migrator.add_index("delivery", columns) for columns in INDEXES))


def down(migrator, db):
    migrator.migrate(*(migrator.drop_index("delivery", f"delivery_{'_'.join(columns)}") for columns in INDEXES))
