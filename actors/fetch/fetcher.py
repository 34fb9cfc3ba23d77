"""Handle one fetch message: read feeds, look again, fill gaps, or ask for places."""

from __future__ import annotations

from collections.abc import Mapping

from actors.fetch.demand_reading import DemandReading
from actors.fetch.gap_filling import GapFiller
from actors.fetch.group_leases import GroupLeases
from actors.fetch.group_reading import GroupReading
from actors.fetch.place_checks import PlaceChecks
from actors.fetch.place_reviews import PlaceReview
from actors.fetch.reader import Reader
from actors.fetch.second_look import SecondLook
from actors.fetch.source_health import SourceHealth
from actors.thread_shares import ThreadShares
from overheard.clock import Clock
from overheard.config import FetchSettings
from overheard.db import refreshes
from overheard.db.database import Db
from overheard.messages import FetchWorkspace
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later, Outcome, Rejected
from overheard.sending import Send
from overheard.sources import RequestTokens, Source
from overheard.sources.registry import source_type


class Fetcher:
    """The fetch stage's handler. ``sources`` maps a source's name to the source."""

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, Source],
        send: Send,
        clock: Clock,
        rules: FetchSettings,
        recheck_within: float,
        metrics: ProcessMetrics,
    ) -> None:
        self.db = db
        self.sources = sources
        self.clock = clock
        self.rules = rules
        health = SourceHealth(db, clock)
        self.leases = GroupLeases(db=db, sources=sources, clock=clock, rules=rules)
        places = PlaceChecks(db=db, sources=sources, clock=clock, health=health, longest_backoff=rules.longest_backoff)
        self.reviews = PlaceReview(db=db, sources=sources, clock=clock, checks=places)
        reader = Reader(
            db=db,
            sources=sources,
            send=send,
            clock=clock,
            rules=rules,
            recheck_within=recheck_within,
            metrics=metrics,
            health=health,
        )
        groups = GroupReading(
            db=db,
            sources=sources,
            send=send,
            clock=clock,
            longest_backoff=rules.longest_backoff,
            health=health,
            leases=self.leases,
            places=places,
            reader=reader,
        )
        self.demands = DemandReading(db=db, send=send, clock=clock, leases=self.leases, groups=groups)
        self.second_look = SecondLook(db, reader, clock, metrics)
        self.gaps = GapFiller(db=db, sources=sources, send=send, clock=clock, metrics=metrics, health=health)
        self.shares = ThreadShares(("source",))

    def fetch(self, message: FetchWorkspace, budget: RequestTokens) -> Outcome:
        """Read each group of the workspace's stale feeds once, together with other groups that are due.

        1. One source holds at most half of the threads; further messages are postponed.
        2. A poll that was waiting for the budget resumes where it stopped.
        3. A group is read back to its cursor. Of a refused group the source is asked which places are bad
           (``place_checks``), or it is divided until the refused feed stands alone; only the bad ones back off. A group
           with more new items than its source lists is divided too, unless it was just read too late and its items
           have numbers: then what is missing is a gap.
        4. A transient error of the source postpones the group for all workspaces; one message comes back for it. So
           an outage of any length leaves one message per group, and none becomes a dead letter.
        5. If a feed is being read by a poll that began before ``fresh_since``, an on-demand message checks again soon.
        6. A source that reads forward ends a long reading now and then; a message for the rest follows.
        7. A workspace with many feeds on slow servers is read in turns of TURN_SECONDS.
        8. The demand is marked as served. After a crash before that, the sweep finds it.

        Return Later when the budget is exhausted, with the rest of a poll to resume. Raise Unavailable (bus or
        database) and PermanentError. For 2. to 6. see ``group_reading``, for 7. and 8. ``demand_reading``.
        """
        if message.source not in self.sources:
            return Rejected(f"there is no source {message.source}")
        if source_type(message.source).streamed and message.workspace_id is not None:
            # Its producer reads it all the time; nothing has to be demanded.
            refreshes.mark_served(self.db, message.workspace_id, message.source, self.clock())
            return None
        # Half: a source that hangs leaves to all others as many threads as it holds.
        half = max(1, self.rules.threads // 2)
        with self.shares.held(lambda now: {("source", message.source): half}) as wait_seconds:
            if wait_seconds is not None:
                return Later(wait_seconds)
            if message.back_to:
                return self.second_look.read(message, budget)
            if message.fill is not None:
                return self.gaps.fill(message, message.fill, budget)
            if message.places:
                return self.reviews.review(message, budget)
            return self.demands.read(message, budget)
