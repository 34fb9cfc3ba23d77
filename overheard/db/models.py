"""The tables. Times are seconds since the epoch (UTC); what each table is for stands above it.

The schema itself is made by ``migrations/``: a change here needs a migration, and a test compares the two. Ids that
messages or readers remember are never given twice: on SQLite, migration 0011 makes them AUTOINCREMENT, which a table
that is made anew has to keep.
"""

from __future__ import annotations

from typing import Any

from peewee import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
    fn,
)


class Table(Model):  # type: ignore[misc,unused-ignore]
    """Base of all tables."""

    class Meta:
        legacy_table_names = False


def _of(model: Any, backref: str, **kw: Any) -> ForeignKeyField:
    return ForeignKeyField(model, backref=backref, on_delete="CASCADE", **kw)


# Who listens.
# ``internal``: Overheard's own, in no list or count of people's.
# ``digest_end``: the period whose digest was asked for, at ``digest_asked_at``, and is not composed yet.
class Workspace(Table):
    id = AutoField()
    slug = TextField(unique=True)
    name = TextField()
    timezone = TextField(default="UTC")
    every = TextField()
    digest = TextField(null=True)
    active = BooleanField(default=True)
    created_at = DoubleField()
    next_due_at = DoubleField(index=True)
    next_digest_at = DoubleField(null=True, index=True)
    digest_end = DoubleField(null=True, index=True)
    digest_asked_at = DoubleField(default=0)
    internal = BooleanField(default=False)


# What a workspace wants of each source that it watches. ``demanded_at``: its feeds were asked to be read;
# ``served_at``: the last demand that fetch took up; ``waiting_since``: the oldest that it has not, however often it was
# repeated since.
class RefreshDemand(Table):
    workspace = _of(Workspace, "refreshes", index=False)
    source = TextField()
    demanded_at = DoubleField(default=0)
    served_at = DoubleField(default=0)
    waiting_since = DoubleField(null=True, index=True)

    class Meta:
        table_name = "refresh"
        primary_key = CompositeKey("workspace", "source")


# Feeds that are read together. ``cursor`` is their source's own text: with it the next reading begins, and everything
# listed before ``began_at`` has been stored (while it is None: whatever is listed from then on is news). ``read_at`` is
# when that reading had its first page. ``room``: how many feeds it may have; None: as many as is configured.
class FeedGroup(Table):
    id = AutoField()
    source = TextField()
    kind = TextField()
    cursor = TextField(null=True)
    began_at = DoubleField()
    read_at = DoubleField()
    room = IntegerField(null=True)
    poll = TextField(null=True, index=True)
    lease_until = DoubleField(default=0)


# What a source lists of a place together, shared by all who watch it. ``place`` is its key (``items.place_key``).
# ``failures``: how often in a row the source has refused it.
class Feed(Table):
    id = AutoField()
    source = TextField()
    kind = TextField()
    place = TextField()
    fresh_at = DoubleField(default=0)
    failures = IntegerField(default=0)
    retry_at = DoubleField(default=0)
    reason = TextField(null=True)
    created_at = DoubleField()
    internal = BooleanField(default=False)
    group = _of(FeedGroup, "feeds", null=True, index=True)

    class Meta:
        indexes = ((("source", "kind", "place"), True), (("failures", "fresh_at"), False))


# What could not be read: between ``from_item`` and ``to_item``, neither of which is missing. ``state``: open, filled
# or lost.
class Gap(Table):
    id = BigAutoField()
    feed = _of(Feed, "gaps", index=True)
    from_item = TextField(null=True)
    from_at = DoubleField(null=True)
    to_item = TextField(null=True)
    to_at = DoubleField(null=True)
    reason = TextField()
    found_at = DoubleField(index=True)
    state = TextField(default="open")
    filled_at = DoubleField(null=True)


# Whether a source answers. ``read_at``: when it was last read; ``failing_since``: since when each try has failed, the
# last one for ``reason``, at ``retry_at`` or wanting to be left alone until then. None: it answered the last time.
class SourceStatus(Table):
    name = TextField(primary_key=True)
    read_at = DoubleField(null=True)
    failing_since = DoubleField(null=True)
    retry_at = DoubleField(null=True)
    reason = TextField(null=True)
    revoked = BooleanField(default=False)

    class Meta:
        table_name = "source"


# Who watches what, and which ``kinds`` of its items (words).
# Mentions older than ``created_at`` are stored but not sent: no flood on the first run.
class Watch(Table):
    workspace = _of(Workspace, "watches")
    feed = _of(Feed, "watches", index=True)
    kinds = TextField()
    created_at = DoubleField()

    class Meta:
        primary_key = CompositeKey("workspace", "feed")


# ``removed_at``: it matches nothing any more, and only names what it has found. ``revision``: of the latest change of
# what the index must have of it.
class Query(Table):
    id = AutoField()
    workspace = _of(Workspace, "queries")
    name = TextField()
    text = TextField()
    removed_at = DoubleField(null=True)
    revision = BigIntegerField()

    class Meta:
        indexes = ((("workspace", "name"), True), (("revision", "id"), False))


# Revisions: one counter, one row of it, whose lock makes them visible in their own order. A
# ``WatchChange``: the watches of the workspace changed, or it was removed, at ``revision``.
class Revision(Table):
    name = TextField(primary_key=True)
    value = BigIntegerField()


class WatchChange(Table):
    workspace_id = IntegerField(primary_key=True)
    revision = BigIntegerField(index=True)

    class Meta:
        table_name = "change"


# Where mentions go. ``url`` and ``secret`` are secrets. ``failures``: tries that failed since the last success, through
# the channel's fault; ``not_before``: nothing is tried there until then.
class Channel(Table):
    id = AutoField()
    workspace = _of(Workspace, "channels")
    name = TextField()
    url = TextField()
    secret = TextField(null=True)
    mode = TextField(default="instant")
    created_at = DoubleField()
    disabled_at = DoubleField(null=True)
    failing_since = DoubleField(null=True)
    reason = TextField(null=True)
    failures = IntegerField(default=0)
    not_before = DoubleField(default=0)

    class Meta:
        indexes = ((("workspace", "name"), True),)


# Only what somebody wanted to hear of is kept. ``ref`` is the source's own id, ``texts`` are JSON. ``checked_at``: when
# the source last said how it is (at first, when it was stored); ``absent_since``: since when the source's answers leave
# it out; ``lease_until``: so long it is being re-read.
class StoredItem(Table):
    id = BigAutoField()
    source = TextField()
    ref = TextField()
    kind = TextField()
    place = TextField()
    author = TextField(null=True)
    title = TextField()
    body = TextField()
    permalink = TextField()
    url = TextField()
    thread = TextField(null=True)
    thread_title = TextField(default="")
    texts = TextField(default="{}")
    created_at = DoubleField()
    edited_at = DoubleField(null=True)
    stored_at = DoubleField(index=True)
    checked_at = DoubleField(default=0)
    absent_since = DoubleField(null=True)
    lease_until = DoubleField(default=0)

    class Meta:
        table_name = "item"
        indexes = ((("source", "ref"), True), (("source", "thread"), False), (("source", "checked_at"), False))


StoredItem.add_index(fn.LOWER(StoredItem.author), name="item_author_lower")


# What must not be stored again: the ids of items that were erased, for some days (copies are on the bus), and hashes
# of the names of authors who asked to be forgotten, each within its source. ``erasure.py`` makes the keys.
class Erased(Table):
    key = TextField(primary_key=True)
    at = DoubleField()


# One per (workspace, item) (I3). ``query_ids`` and ``highlights`` are JSON.
class Mention(Table):
    id = BigAutoField()
    workspace = _of(Workspace, "mentions")
    item = _of(StoredItem, "mentions", index=True)
    query_ids = TextField()
    highlights = TextField()
    backfilled = BooleanField(default=False)
    stored_at = DoubleField(index=True)

    class Meta:
        indexes = ((("workspace", "item"), True), (("workspace", "stored_at"), False))


# The values of ``Delivery.state``.
PENDING, HELD, SENT, FAILED, BUNDLED = "pending", "held", "sent", "failed", "bundled"


# The outbox. One per (channel, mention) or (channel, digest period) (I3). Those of a digest channel are ``held``
# until a digest takes them into its ``bundle``. The id is what receivers see, the same over all tries (I4).
class Delivery(Table):
    id = TextField(primary_key=True)
    channel = _of(Channel, "deliveries", index=False)
    mention = _of(Mention, "deliveries", null=True, index=True)
    period_end = DoubleField(null=True)
    bundle = TextField(null=True, index=True)
    state = TextField()
    attempts = IntegerField(default=0)
    due_at = DoubleField()
    lease_until = DoubleField(default=0)
    created_at = DoubleField(index=True)
    sent_at = DoubleField(null=True)
    error = TextField(null=True)

    class Meta:
        indexes = (
            (("channel", "mention"), True),
            (("channel", "period_end"), True),
            (("channel", "state", "due_at"), False),
            (("channel", "state", "attempts", "due_at"), False),
            (("channel", "state", "lease_until"), False),
            (("state", "due_at"), False),
        )


# A reading of some feeds. It is done, and their cursors move, when all its parts are stored.
class Poll(Table):
    id = TextField(primary_key=True)
    started_at = DoubleField()
    parts = IntegerField(null=True)
    targets = TextField(null=True)
    finished_at = DoubleField(null=True)

    class Meta:
        indexes = ((("started_at",), False),)


# What of it is stored. A part is stored when all pieces of one matching of it are.
class StoredPart(Table):
    poll = _of(Poll, "stored", index=False)
    part = IntegerField()
    pieces = IntegerField()
    piece = IntegerField()

    class Meta:
        table_name = "poll_part"
        primary_key = CompositeKey("poll", "part", "pieces", "piece")


# What could not be done, with its reason, until somebody looks at it. ``routing_key`` is a refused event's type;
# ``lease_until`` (the database's clock): somebody is sending it again.
class DeadLetter(Table):
    id = BigAutoField()
    message_id = TextField()
    stage = TextField()
    origin = TextField()
    reason = TextField()
    traceback = TextField(null=True)
    body = TextField()
    created_at = DoubleField(index=True)
    routing_key = TextField(null=True)
    lease_until = DoubleField(default=0)

    class Meta:
        indexes = ((("message_id", "stage"), True),)


# Shared budgets: theoretical arrival time and block, on the database's clock.
class Budget(Table):
    key = TextField(primary_key=True)
    tat = DoubleField()
    block_until = DoubleField(default=0)
    observed_at = DoubleField(default=0)
    remaining = DoubleField(null=True)


# What went wrong and the operator has not been told yet. ``what`` is the place: a stage, a channel, a feed.
class Incident(Table):
    kind = TextField()
    what = TextField()
    count = IntegerField()
    last_at = DoubleField()

    class Meta:
        primary_key = CompositeKey("kind", "what")


# When a process last did what it is for (``tick``).
class Heartbeat(Table):
    name = TextField(primary_key=True)
    at = DoubleField()

    class Meta:
        table_name = "beat"


TABLES: tuple[type[Table], ...] = (
    Workspace,
    RefreshDemand,
    FeedGroup,
    Feed,
    Gap,
    SourceStatus,
    Watch,
    Query,
    Revision,
    WatchChange,
    Channel,
    StoredItem,
    Erased,
    Mention,
    Delivery,
    Poll,
    StoredPart,
    DeadLetter,
    Budget,
    Incident,
    Heartbeat,
)
