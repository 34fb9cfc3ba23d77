"""The tables. Times are seconds since the epoch (UTC); a comment above each table says what it is for.

``migrations/`` makes the schema: a change here needs a migration, and a test compares the two. An id that a message or
a client may remember is never reused: on SQLite, migration 0011 makes those ids AUTOINCREMENT, and a migration that
rebuilds such a table has to keep that.

A table has its class's name in snake case, except seven:

    RefreshDemand   refresh
    SourceStatus    source
    WatchChange     change
    StoredItem      item
    SampledItem     sample
    StoredPart      poll_part
    Heartbeat       beat

``Revision`` stores the instance's random id, too, though that is not a revision.
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
    """The base of all tables."""

    class Meta:
        legacy_table_names = False


def _of(model: Any, backref: str, **kw: Any) -> ForeignKeyField:
    return ForeignKeyField(model, backref=backref, on_delete="CASCADE", **kw)


# A team, a product or a client, with its schedules. ``internal``: Overheard's own, left out of all lists and counts.
# ``digest_end``: the period whose digest was requested, at ``digest_asked_at``, and is not composed yet.
class Workspace(Table):
    id = AutoField()
    slug = TextField(unique=True)
    name = TextField()
    timezone = TextField(default="UTC")
    every = TextField()
    digest = TextField(null=True)
    quiet = TextField(default="")
    working = TextField(default="")
    active = BooleanField(default=True)
    created_at = DoubleField()
    next_due_at = DoubleField(index=True)
    next_digest_at = DoubleField(null=True, index=True)
    digest_end = DoubleField(null=True, index=True)
    digest_asked_at = DoubleField(default=0)
    internal = BooleanField(default=False)


# A workspace's demand for fresh feeds, one row for each source that it watches. ``demanded_at``: the latest demand;
# ``served_at``: fetch has served every demand until then; ``waiting_since``: the oldest demand not served yet, however
# often it was repeated since.
class RefreshDemand(Table):
    workspace = _of(Workspace, "refreshes", index=False)
    source = TextField()
    demanded_at = DoubleField(default=0)
    served_at = DoubleField(default=0)
    waiting_since = DoubleField(null=True, index=True)

    class Meta:
        table_name = "refresh"
        primary_key = CompositeKey("workspace", "source")


# Feeds that are read together. ``cursor`` is the source's own text: the next reading starts from it, and everything
# listed before ``began_at`` has been stored (while ``cursor`` is None, everything listed from ``began_at`` on is new).
# ``read_at``: when that reading had its first page. ``room``: how many feeds the group may have, smaller after it was
# divided for having more new items than the source lists; None: as many as is configured. ``poll``: the poll that holds
# the lease, or ``groups.FREE_UNREAD``. ``asked_at``: when the planner last sent a message to read it.
# ``looked_at``: when the latest second look began that is stored, and before the first one, when the group was made;
# ``look_asked_at``: when the planner last asked for one. ``by_number``: the plan wants it to be read by its items'
# numbers; ``pace``: how many of them a second the source gave out lately, as its latest reading showed. ``fresh_at``:
# everything listed before is read; earlier than ``began_at`` if the latest reading has left a backlog.
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
    asked_at = DoubleField(default=0)
    looked_at = DoubleField(default=0)
    look_asked_at = DoubleField(default=0)
    by_number = BooleanField(default=False)
    pace = DoubleField(null=True)
    fresh_at = DoubleField(default=0, index=True)


# One listing of a place, as the source divides them, shared by all workspaces that watch it. ``place`` is its key
# (``items.place_key``). ``fresh_at``: as in its group, where it differs (0: never read, or to be read again); None: as
# its group. ``failures``: refusals in a row. Until ``retry_at`` it is not read: it was refused, or its source wants no
# earlier poll. ``rate``: new items a second when it last had some, None before the first reading; ``rate_seconds``: the
# time that it rests on; ``rated_at``: the group's ``fresh_at`` then (``db.feed_rates``). ``bin``: feeds of the same
# number are to be read together. ``place_ref``: the source's own id of the place, which stays when it is renamed;
# ``place_checked_at``: when the source was last asked for it.
class Feed(Table):
    id = AutoField()
    source = TextField()
    kind = TextField()
    place = TextField()
    fresh_at = DoubleField(null=True, default=0)
    failures = IntegerField(default=0)
    retry_at = DoubleField(default=0)
    reason = TextField(null=True)
    created_at = DoubleField()
    internal = BooleanField(default=False)
    group = _of(FeedGroup, "feeds", null=True, index=True)
    rate = DoubleField(null=True)
    rate_seconds = DoubleField(default=0)
    rated_at = DoubleField(default=0)
    bin = IntegerField(null=True, index=True)
    place_ref = TextField(null=True)
    place_checked_at = DoubleField(default=0)

    class Meta:
        indexes = (
            (("source", "kind", "place"), True),
            (("failures", "fresh_at"), False),  # feeds.oldest_fresh: the stalest feed without failures
        )


# Items that could not be read: those between ``from_item`` and ``to_item``, which were read themselves. ``state``:
# open, filled or lost. In a source whose items have numbers, those from ``first_number`` to ``last_number`` are still
# to be looked up, the last ones first.
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
    first_number = BigIntegerField(null=True)
    last_number = BigIntegerField(null=True)

    class Meta:
        indexes = ((("state", "last_number"), False),)


# Which process fills the gaps of a source's feeds of one kind, all of them together: ``poll`` until ``lease_until``.
# ``asked_at``: when the tick last sent a message for it.
class GapFilling(Table):
    source = TextField()
    kind = TextField()
    poll = TextField(null=True)
    lease_until = DoubleField(default=0)
    asked_at = DoubleField(default=0)

    class Meta:
        primary_key = CompositeKey("source", "kind")


# Whether a source answers. ``read_at``: when it was last read; ``failing_since``: since when every try has failed;
# None: the last one succeeded. ``reason``: of the last failure; ``retry_at``: its time, or the later time until which
# the source wants no requests.
class SourceStatus(Table):
    name = TextField(primary_key=True)
    read_at = DoubleField(null=True)
    failing_since = DoubleField(null=True)
    retry_at = DoubleField(null=True)
    reason = TextField(null=True)
    revoked = BooleanField(default=False)

    class Meta:
        table_name = "source"


# A feed that a workspace watches, and the ``kinds`` of its items that it wants (words). Mentions of items older than
# ``created_at`` are stored but not sent, so that the first run does not flood the channels.
class Watch(Table):
    workspace = _of(Workspace, "watches")
    feed = _of(Feed, "watches", index=True)
    kinds = TextField()
    created_at = DoubleField()

    class Meta:
        primary_key = CompositeKey("workspace", "feed")


# ``scope``: what the workspace file limits the query to, as JSON. ``removed_at``: it matches nothing any more; its row
# still names it in the mentions that it has found. ``revision``: of the latest change that the matching index has to
# load. ``flood_reported_at``: when its workspace was last told that it floods.
class Query(Table):
    id = AutoField()
    workspace = _of(Workspace, "queries")
    name = TextField()
    text = TextField()
    scope = TextField(default="{}")
    removed_at = DoubleField(null=True)
    revision = BigIntegerField()
    flood_reported_at = DoubleField(null=True)

    class Meta:
        indexes = (
            (("workspace", "name"), True),
            (("revision", "id"), False),  # queries.changed_since pages by it
        )


# Numbers of the whole installation. ``interests`` counts the changes to queries and watches: the lock on its row makes
# revisions visible in their own order. ``instance`` is not a revision but a random id (``instance.py``).
class Revision(Table):
    name = TextField(primary_key=True)
    value = BigIntegerField()


# The latest revision at which the workspace's watches changed, or at which it was removed. It outlives the workspace:
# the matching index must learn of the removal.
class WatchChange(Table):
    workspace_id = IntegerField(primary_key=True)
    revision = BigIntegerField(index=True)

    class Meta:
        table_name = "change"


# Where mentions go. ``url`` and ``secret`` are secrets. ``failures``: failed tries since the last success that were the
# channel's own fault; ``not_before``: no delivery is tried before then. ``queries``: the names of those it hears of, as
# JSON; an empty list means all. ``min_gap`` and ``summary_every`` are seconds. ``wake_at``: a message arrives then,
# with which the channel decides again about what waits. ``reported_at``: when its workspace was told that it fails.
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
    min_gap = DoubleField(default=0)
    max_per_hour = IntegerField(default=60)
    summary_every = DoubleField(default=30)
    queries = TextField(default="[]")
    wake_at = DoubleField(default=0)
    reported_at = DoubleField(null=True)

    class Meta:
        indexes = ((("workspace", "name"), True),)


# What a workspace does not want to be sent: mentions that fit all conditions of a row; empty ones fit everything.
# ``place`` and ``author`` are in lower case. ``until``: None means for good.
class Mute(Table):
    id = AutoField()
    workspace = _of(Workspace, "mutes", index=True)
    query = TextField(default="")
    author = TextField(default="")
    place = TextField(default="")
    thread = TextField(default="")
    until = DoubleField(null=True)


# A matched or sampled item; others are not stored. ``ref`` is the source's own id, ``texts`` are JSON. ``checked_at``:
# when the source last answered a recheck of it (at first, when it was stored); of an item that only the sample has, a
# time ahead, so that no recheck claims it. ``absent_since``: since when the answers have left it out; ``lease_until``:
# a recheck holds it until then.
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
    lang = TextField(default="")
    nsfw = BooleanField(default=False)
    lookup = TextField(default="")
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


# The sample of recent items (``sampling.py``). ``place`` is the place's key; ``share``: the probability with which the
# item is in the sample. While its ``priority`` is below that it belongs to the sample, and stands for 1/share items.
class SampledItem(Table):
    item = _of(StoredItem, "sample", primary_key=True)
    source = TextField()
    place = TextField()
    priority = DoubleField()
    share = DoubleField()
    at = DoubleField(index=True)

    class Meta:
        table_name = "sample"
        indexes = ((("source", "priority"), False),)


# The share of each source's items that is taken into the sample now; ``since``: when sampling it began.
class SampleSource(Table):
    source = TextField(primary_key=True)
    share = DoubleField(default=1)
    since = DoubleField()


# The most frequent words, learned from the sample. ``share``: of all items that are read, those in which it occurs;
# ``items``: in how many sampled ones it was found. The matching index files queries by them.
class WordFrequency(Table):
    word = TextField(primary_key=True)
    items = IntegerField()
    share = DoubleField()


# Tombstones: what must not be stored again. The ids of erased items, for some days (copies of them are on the bus), and
# hashes of the names of authors who asked to be forgotten, each within its source. ``erasure.py`` makes the keys.
class Erased(Table):
    key = TextField(primary_key=True)
    at = DoubleField()


# One for each (workspace, item) (I3). ``query_ids``, ``highlights`` and ``why`` are JSON. ``backfilled``: stored but
# not sent, as the item is older than the watch, or too old to be news. ``read_at``: when the reading that found it
# began; 0 if that is unknown.
class Mention(Table):
    id = BigAutoField()
    workspace = _of(Workspace, "mentions")
    item = _of(StoredItem, "mentions", index=True)
    query_ids = TextField()
    highlights = TextField()
    why = TextField(default="[]")
    backfilled = BooleanField(default=False)
    stored_at = DoubleField(index=True)
    read_at = DoubleField(default=0)

    class Meta:
        indexes = ((("workspace", "item"), True), (("workspace", "stored_at"), False))


# The values of ``Delivery.state``.
PENDING, HELD, SENT, FAILED, BUNDLED, MUTED = "pending", "held", "sent", "failed", "bundled", "muted"
# The values of ``Delivery.kind``.
MENTION, SUMMARY, DIGEST, REPORT = "mention", "summary", "digest", "report"


# The outbox. One for each (channel, mention), (channel, digest period), summary or report (I3). Those of a digest
# channel are ``held`` until a digest takes them into its ``bundle``; a summary takes pending ones into its own.
# ``muted`` ones are never sent. ``held_by``: what keeps or kept it from being sent at once, in words. ``query``: the
# one that a mention counts for where queries share a channel. ``link``: of a mention's item, what it links to
# (``routing.link_key``). ``content`` is a report's, as JSON. Receivers see the id; it stays the same (I4).
class Delivery(Table):
    id = TextField(primary_key=True)
    kind = TextField(default=MENTION)
    channel = _of(Channel, "deliveries", index=False)
    mention = _of(Mention, "deliveries", null=True, index=True)
    period_end = DoubleField(null=True)
    period_start = DoubleField(null=True)
    bundle = TextField(null=True, index=True)
    state = TextField()
    held_by = TextField(null=True)
    query = IntegerField(null=True)
    link = TextField(null=True)
    content = TextField(null=True)
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
            (("channel", "state", "due_at"), False),  # is anything due; what was sent last
            (("channel", "state", "kind", "attempts", "due_at"), False),  # claim: least tried first
            (("channel", "state", "lease_until"), False),  # does a claim hold the channel
            (("channel", "state", "sent_at"), False),  # the messages of the last hour
            (("channel", "link"), False),  # another mention that links to the same address
            (("state", "due_at"), False),  # over all channels: the sweep, the oldest due
        )


# A failed try of a delivery, and why.
class FailedTry(Table):
    id = BigAutoField()
    delivery = _of(Delivery, "tries", index=True)
    at = DoubleField()
    error = TextField()


# A reading of some feeds. When all its parts are stored, it is finished and the cursors move. ``targets``: until then,
# what its last part says of each group, as JSON. Or items that were looked up by number to fill gaps: ``numbers`` says
# which, as JSON.
class Poll(Table):
    id = TextField(primary_key=True)
    started_at = DoubleField()
    parts = IntegerField(null=True)
    targets = TextField(null=True)
    numbers = TextField(null=True)
    finished_at = DoubleField(null=True)

    class Meta:
        indexes = ((("started_at",), False),)


# A stored piece of a poll's part. A part is stored when all pieces of one matching of it are.
class StoredPart(Table):
    poll = _of(Poll, "stored", index=False)
    part = IntegerField()
    pieces = IntegerField()
    piece = IntegerField()

    class Meta:
        table_name = "poll_part"
        primary_key = CompositeKey("poll", "part", "pieces", "piece")


# A message or event that could not be processed, with its reason, until an operator replays or drops it. ``origin``:
# ``nack`` (a stage gave up), ``xq`` (found in RabbitMQ's dead-letter queue, Dramatiq's ``.XQ``) or ``rejected`` (a
# public event was refused). ``routing_key`` is a refused event's type; ``lease_until``: a replay holds it until then.
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


# Shared rate limits: theoretical arrival times of two accounts (``tat`` and ``saved_tat``) and block, on the database's
# clock (``budgets.py``). The server's own count, when it was seen, when its window ends, and how many requests would
# remain if there were none of others (``server_counts.py``).
class Budget(Table):
    key = TextField(primary_key=True)
    tat = DoubleField()
    saved_tat = DoubleField(default=0)
    block_until = DoubleField(default=0)
    observed_at = DoubleField(default=0)
    remaining = DoubleField(null=True)
    resets_at = DoubleField(null=True)
    expected = DoubleField(null=True)


# How far a backfill has got in one place, from ``since`` until ``until``; its rows are deleted when all are done.
# ``query``: the name of the only query; empty: all of them. ``position`` is the source's own text. ``oldest`` and
# ``newest``: times of the items found so far.
class Backfill(Table):
    workspace = _of(Workspace, "backfills", index=False)
    source = TextField()
    place = TextField()
    query = TextField(default="")
    kinds = TextField()
    since = DoubleField()
    until = DoubleField()
    position = TextField(null=True)
    oldest = DoubleField(null=True)
    newest = DoubleField(null=True)
    items = IntegerField(default=0)
    mentions = IntegerField(default=0)
    finished_at = DoubleField(null=True)

    class Meta:
        primary_key = CompositeKey("workspace", "source", "place")


# Incidents that are not reported to the operator yet. ``what`` is the place: a stage, a channel, a feed.
class Incident(Table):
    kind = TextField()
    what = TextField()
    count = IntegerField()
    last_at = DoubleField()

    class Meta:
        primary_key = CompositeKey("kind", "what")


# When a process last did its work (``tick``).
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
    GapFilling,
    SourceStatus,
    Watch,
    Query,
    Revision,
    WatchChange,
    Channel,
    Mute,
    StoredItem,
    SampledItem,
    SampleSource,
    WordFrequency,
    Erased,
    Mention,
    Delivery,
    FailedTry,
    Poll,
    StoredPart,
    DeadLetter,
    Budget,
    Backfill,
    Incident,
    Heartbeat,
)
