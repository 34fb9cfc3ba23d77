"""Where the way of an item ended that became no mention, and how the reading went when there was none."""

from __future__ import annotations

from collections.abc import Iterator

from overheard.db import mention_ways, source_health
from overheard.db.database import Db
from overheard.db.mention_ways import ItemNames, StoredCopy, WatchFacts
from overheard.db.models import Workspace
from overheard.items import ALL, Item, place_key
from overheard.operations.near_misses import near_misses
from overheard.operations.way_step import Way, WayStep
from overheard.operations.wording import ago, first_names, span
from overheard.sources.registry import SOURCES, author_label, place_label
from overheard.workspaces.pasted_sites import PastedWatch
from overheard.workspaces.pasted_urls import parse_address, watch_of

SHOWN_CHARS = 200
MAX_FEEDS = 10
MAX_PLACES = 5
RECENT_SECONDS = 86400.0  # of an item that is not stored it is unknown when it was published
STALE_SECONDS = 60.0  # between the feeds that were read last and longest ago, before both are told
TO_TRY = "`overheard query test` tries a query on a text"
NOT_STORED = "it is not stored: it was not read, or no query matched it, and what matches nothing is not kept"


class AbsentWays:
    """Tells where ways ended that led to no mention of a workspace."""

    def __init__(self, db: Db, workspace: Workspace, now: float) -> None:
        self.db = db
        self.workspace = workspace
        self.slug = workspace.slug
        self.watches = mention_ways.watches(db, workspace.id)
        self.now = now

    def of_item(self, text: str, names: ItemNames) -> list[Way]:
        """Return where the way of an item ended, of each if several items have this id."""
        copies = mention_ways.stored_copies(self.db, names)
        if copies:
            return [self._of_stored(copy) for copy in copies]
        keys = [(source, ref) for source in SOURCES for ref in names.refs]
        steps = list(self._of_unknown(text, mention_ways.erased_at(self.db, keys)))
        return [Way(text[:SHOWN_CHARS], ("no mention",), tuple(steps))]

    def quiet_time(self, since: float, until: float) -> Way:
        """Return what was read while no mention was stored."""
        before, after = mention_ways.neighbours(self.db, self.workspace.id, since)
        nearest = [f"the last one before was stored {span(since - before)} earlier"] if before else []
        nearest += [f"the next one {span(after - until)} later"] if after else []
        words = f"no mention was stored; {' and '.join(nearest) or 'there is none at all'}"
        steps = [WayStep(None, "stored", None, words), *self._paused(), *self._reading(self.watches, since, until)]
        return Way("no mention at this time", (), tuple(steps))

    def _of_stored(self, copy: StoredCopy) -> Way:
        item = copy.item
        facts = (
            place_label(item.source, item.place),
            f"by {author_label(item.source, item.author)}",
            f"item {item.id}",
            "no mention",
        )
        return Way(item.title or item.thread_title or item.permalink, facts, tuple(self._way_of_stored(copy)))

    def _way_of_stored(self, copy: StoredCopy) -> Iterator[WayStep]:
        item, where = copy.item, place_label(copy.item.source, copy.item.place)
        of_place = [watch for watch in self.watches if (watch.source, watch.place) in _places(item)]
        watching = [watch for watch in of_place if item.kind in watch.kinds]
        if not watching:
            only = f"only {of_place[0].kinds[0]}s of it" if of_place else f"neither {where} nor all of {item.source}"
            yield WayStep(copy.stored_at, "read", None, f"not for {self.slug}, which watches {only}")
            return
        yield WayStep(copy.stored_at, "read", None, f"in {where}, and kept for others or as part of the sample")
        yield from self._paused()
        since = min(watch.since for watch in watching)
        if copy.stored_at < since:
            late = f"{span(since - copy.stored_at)} before {self.slug} watched {where}"
            yield WayStep(copy.stored_at, "matched", None, f"not for {self.slug}: it was read {late}")
        for reason in near_misses(self.db, self.workspace.id, self.slug, item):
            yield WayStep(None, "matched", None, reason)

    def _of_unknown(self, text: str, erased_at: float | None) -> Iterator[WayStep]:
        if erased_at is not None:
            yield WayStep(None, "read", None, "it was read, and was stored")
            yield WayStep(erased_at, "stored", None, "erased: it was deleted at its source, or on request")
            return
        found = _place_of(text)
        watching = self.watches if found is None else [watch for watch in self.watches if _covers(watch, found)]
        if not watching:
            names = list(dict.fromkeys(place_label(watch.source, watch.place) for watch in self.watches))
            what = f"it watches {first_names(names, MAX_PLACES)}" if names else "it watches nothing"
            where = "" if found is None else f"{place_label(*found)} is not watched: "
            yield WayStep(None, "read", None, f"not for {self.slug}: {where}{what}")
            return
        yield WayStep(None, "read", None, f"{NOT_STORED}; {TO_TRY}")
        yield from self._paused()
        yield from self._reading(watching, self.now - RECENT_SECONDS, self.now)

    def _paused(self) -> Iterator[WayStep]:
        if not self.workspace.active:
            resume = f"overheard workspace resume {self.slug}"
            yield WayStep(None, "matched", None, f"{self.slug} is paused: nothing is matched for it (`{resume}`)")

    def _reading(self, watches: list[WatchFacts], since: float, until: float) -> Iterator[WayStep]:
        """Yield what is wrong with reading; for each source, when it was read last."""
        for source in dict.fromkeys(watch.source for watch in watches):
            state = source_health.state(self.db, source)
            if state.failing_since is not None:
                failing = f"{source} has not answered for {span(self.now - state.failing_since)}: {state.reason}"
                yield WayStep(state.failing_since, "read", None, failing)
            fresh = [watch.fresh_at for watch in watches if watch.source == source]
            yield WayStep(max(fresh) or None, "read", None, f"{source} {self._last_read(fresh)}")
        for watch in [watch for watch in watches if watch.failures][:MAX_FEEDS]:
            refused = f"{place_label(watch.source, watch.place)} is refused: {watch.reason}"
            yield WayStep(watch.retry_at, "read", None, f"{refused}; it is tried again then")
        for gap in mention_ways.gaps(self.db, self.workspace.id, since, until):
            missed = f"a gap in {place_label(gap.source, gap.place)}, {gap.state}: {gap.reason}"
            yield WayStep(gap.found_at, "read", None, missed)

    def _last_read(self, fresh: list[float]) -> str:
        """Return when some feeds were read, the last and the stalest one. 0: never, or that is to be repeated."""
        if not max(fresh):
            return "was not read yet, or is about to be read again"
        stalest = f"; some places {ago(min(fresh), self.now)}" if min(fresh) < max(fresh) - STALE_SECONDS else ""
        return f"was last read {ago(max(fresh), self.now)}{stalest}"


def _places(item: Item) -> set[tuple[str, str]]:
    return {(item.source, place_key(item.place)), (item.source, ALL)}


def _covers(watch: WatchFacts, place: PastedWatch) -> bool:
    return watch.source == place.source and watch.place in (place_key(place.place), ALL)


def _place_of(text: str) -> PastedWatch | None:
    """Return the place in which the page of this address is; None if it is unknown."""
    address = parse_address(text) if "://" in text else None
    found = None if address is None else watch_of(address, guess=False)
    return found if found is not None and found.source in SOURCES else None
