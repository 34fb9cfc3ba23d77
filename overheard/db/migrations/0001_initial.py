"""The first schema: frozen copies of the tables as the models had them (``playhouse.schema_diff``, then by hand)."""

from peewee import *


def up(migrator, db):
    class Beat(Model):
        name = TextField(primary_key=True)
        at = DoubleField()

        class Meta:
            database = db
            table_name = "beat"

    db.create_tables([Beat])

    class Budget(Model):
        key = TextField(primary_key=True)
        tat = DoubleField()
        block_until = DoubleField(default=0)
        observed_at = DoubleField(default=0)
        remaining = DoubleField(null=True)

        class Meta:
            database = db
            table_name = "budget"

    db.create_tables([Budget])

    class Change(Model):
        workspace_id = IntegerField(primary_key=True)
        revision = BigIntegerField(index=True)

        class Meta:
            database = db
            table_name = "change"

    db.create_tables([Change])

    class Workspace(Model):
        slug = TextField(unique=True)
        name = TextField()
        timezone = TextField(default="UTC")
        every = TextField()
        digest = TextField(null=True)
        active = BooleanField(default=True)
        created_at = DoubleField()
        next_due_at = DoubleField(index=True)
        demanded_at = DoubleField(default=0)
        served_at = DoubleField(default=0)
        next_digest_at = DoubleField(index=True, null=True)
        digest_end = DoubleField(index=True, null=True)
        digest_asked_at = DoubleField(default=0)

        class Meta:
            database = db
            table_name = "workspace"

    db.create_tables([Workspace])

    class Channel(Model):
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        name = TextField()
        url = TextField()
        secret = TextField(null=True)
        mode = TextField(default="instant")
        created_at = DoubleField()
        disabled_at = DoubleField(null=True)
        failing_since = DoubleField(null=True)
        reason = TextField(null=True)

        class Meta:
            database = db
            table_name = "channel"
            indexes = ((("workspace", "name"), True),)

    db.create_tables([Channel])

    class DeadLetter(Model):
        id = BigAutoField()
        message_id = TextField()
        stage = TextField()
        origin = TextField()
        reason = TextField()
        traceback = TextField(null=True)
        body = TextField()
        created_at = DoubleField(index=True)

        class Meta:
            database = db
            table_name = "dead_letter"
            indexes = ((("message_id", "stage"), True),)

    db.create_tables([DeadLetter])

    class Item(Model):
        id = BigAutoField()
        name = TextField(unique=True)
        kind = TextField()
        subreddit = TextField()
        author = TextField(null=True)
        title = TextField()
        body = TextField()
        permalink = TextField()
        url = TextField()
        created_at = DoubleField()
        stored_at = DoubleField(index=True)

        class Meta:
            database = db
            table_name = "item"

    db.create_tables([Item])

    class Mention(Model):
        id = BigAutoField()
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        item = ForeignKeyField(Item, on_delete="CASCADE")
        queries = TextField()
        highlights = TextField()
        silent = BooleanField(default=False)
        stored_at = DoubleField(index=True)

        class Meta:
            database = db
            table_name = "mention"
            indexes = ((("workspace", "item"), True), (("workspace", "stored_at"), False))

    db.create_tables([Mention])

    class Delivery(Model):
        id = TextField(primary_key=True)
        channel = ForeignKeyField(Channel, index=False, on_delete="CASCADE")
        mention = ForeignKeyField(Mention, null=True, on_delete="CASCADE")
        period_end = DoubleField(null=True)
        bundle = TextField(index=True, null=True)
        state = TextField()
        attempts = IntegerField(default=0)
        due_at = DoubleField()
        lease_until = DoubleField(default=0)
        created_at = DoubleField(index=True)
        sent_at = DoubleField(null=True)
        error = TextField(null=True)

        class Meta:
            database = db
            table_name = "delivery"
            indexes = (
                (("channel", "mention"), True),
                (("channel", "period_end"), True),
                (("channel", "state", "due_at"), False),
                (("state", "due_at"), False),
            )

    db.create_tables([Delivery])

    class Feed(Model):
        source = TextField()
        kind = TextField()
        name = TextField()
        cursor = BigIntegerField(null=True)
        cursor_at = DoubleField(null=True)
        fresh_at = DoubleField(default=0)
        poll = TextField(null=True)
        lease_until = DoubleField(default=0)
        failures = IntegerField(default=0)
        retry_at = DoubleField(default=0)
        reason = TextField(null=True)
        gaps = IntegerField(default=0)
        created_at = DoubleField()

        class Meta:
            database = db
            table_name = "feed"
            indexes = ((("source", "kind", "name"), True),)

    db.create_tables([Feed])

    class Poll(Model):
        id = TextField(primary_key=True)
        started_at = DoubleField()
        parts = IntegerField(null=True)
        targets = TextField(null=True)
        finished_at = DoubleField(null=True)

        class Meta:
            database = db
            table_name = "poll"
            indexes = ((("started_at",), False),)

    db.create_tables([Poll])

    class PollPart(Model):
        poll = ForeignKeyField(Poll, index=False, on_delete="CASCADE")
        part = IntegerField()
        pieces = IntegerField()
        piece = IntegerField()

        class Meta:
            database = db
            table_name = "poll_part"
            primary_key = CompositeKey("poll", "part", "pieces", "piece")

    db.create_tables([PollPart])

    class Query(Model):
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        name = TextField()
        text = TextField()

        class Meta:
            database = db
            table_name = "query"
            indexes = ((("workspace", "name"), True),)

    db.create_tables([Query])

    class Revision(Model):
        name = TextField(primary_key=True)
        value = BigIntegerField()

        class Meta:
            database = db
            table_name = "revision"

    db.create_tables([Revision])

    class Watch(Model):
        workspace = ForeignKeyField(Workspace, on_delete="CASCADE")
        feed = ForeignKeyField(Feed, on_delete="CASCADE")
        created_at = DoubleField()

        class Meta:
            database = db
            table_name = "watch"
            primary_key = CompositeKey("workspace", "feed")

    db.create_tables([Watch])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("watch"))
    migrator.migrate(migrator.drop_table("revision"))
    migrator.migrate(migrator.drop_table("query"))
    migrator.migrate(migrator.drop_table("poll_part"))
    migrator.migrate(migrator.drop_table("poll"))
    migrator.migrate(migrator.drop_table("feed"))
    migrator.migrate(migrator.drop_table("delivery"))
    migrator.migrate(migrator.drop_table("mention"))
    migrator.migrate(migrator.drop_table("item"))
    migrator.migrate(migrator.drop_table("dead_letter"))
    migrator.migrate(migrator.drop_table("channel"))
    migrator.migrate(migrator.drop_table("workspace"))
    migrator.migrate(migrator.drop_table("change"))
    migrator.migrate(migrator.drop_table("budget"))
    migrator.migrate(migrator.drop_table("beat"))
