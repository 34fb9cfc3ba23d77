"""Handle the tick's message about places: the daily check, and what an absence from an answer has left open.

It takes only spare tokens of the budget. What it does not get to is still due, and is asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from actors.fetch.place_checks import PlaceChecks
from overheard.clock import Clock
from overheard.db import place_checks, place_renames
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, FeedRefused, PermanentError, RetryableError, Unavailable
from overheard.items import place_key
from overheard.messages import FetchWorkspace
from overheard.observability.log import get_logger
from overheard.outcomes import Later
from overheard.sources import PlaceAnswer, PlaceCheck, ReadRequest, RequestTokens, Source
from overheard.sources.registry import public_place, source_type

log = get_logger(__name__)

# How often, and after how many seconds, a message looks again for spare tokens: readings that the same tick asked for
# may have taken all of this moment's, and may do so each time. The next message comes after that; chosen, not measured.
SPARE_RETRIES, SPARE_RETRY_SECONDS = 4, 3.0
READ_PLACES = 5  # of one message, each in a request of its own; chosen, not measured


class PlaceReview:
    """Reviews places. ``sources`` maps a source's name to the source."""

    def __init__(self, *, db: Db, sources: Mapping[str, Source], clock: Clock, checks: PlaceChecks) -> None:
        self.db = db
        self.sources = sources
        self.clock = clock
        self.checks = checks

    def review(self, message: FetchWorkspace, budget: RequestTokens) -> Later | None:
        """Ask for the message's places, follow those that were renamed, and learn why others are absent.

        1. Those that can be read are asked for by name, and by the source's own id if the name has another one now.
        2. Of those that cannot, the ones with an id are asked for by it: they may have another name.
        3. The others are read one by one, since only that tells a banned place from one that does not exist.

        Raise Unavailable (bus or database).
        """
        source = message.source
        if not self.checks.can_ask(source):
            return None
        unresolved = place_checks.unresolved(self.db, source, message.places)
        refs = {ref: place for place, (ref, _) in unresolved.items() if ref is not None}
        absent = [place for place, (ref, is_open) in unresolved.items() if ref is None and is_open]
        try:
            moved = self._daily(source, [place for place in message.places if place not in unresolved], budget)
            self._follow(source, refs | {ref: place for place, (ref, _) in moved.items()}, moved, budget)
            self._read_alone(source, absent[:READ_PLACES], budget)
        except BudgetExhausted as exhausted:
            if exhausted.slot is not None:
                return Later.for_slot(exhausted)
            if message.attempt == SPARE_RETRIES:
                return None
            return Later(SPARE_RETRY_SECONDS, msgspec.structs.replace(message, attempt=message.attempt + 1))
        except Unavailable:
            raise  # our database, which holds the budget: not an error of the source
        except (RetryableError, PermanentError) as error:
            self.checks.pause(source, error)
        return None

    def _daily(self, source: str, places: Sequence[str], budget: RequestTokens) -> dict[str, tuple[str, PlaceAnswer]]:
        """Ask for places; return those that have another id than before: the former one, and the answer."""
        answers = self.checks.ask(source, places, budget) if places else {}
        if not answers:
            return {}
        known = {feed.row.place: feed.ref for feed in place_checks.feeds_of(self.db, source, answers, self.clock())}
        self.checks.apply(source, answers, budget)
        return {
            place: (ref, answer)
            for place, answer in answers.items()
            if answer.ref is not None and (ref := known.get(place)) is not None and ref != answer.ref
        }

    def _follow(
        self,
        source: str,
        refs: Mapping[str, str],
        moved: Mapping[str, tuple[str, PlaceAnswer]],
        budget: RequestTokens,
    ) -> None:
        """Let what watches places of these ids watch them under their present names."""
        asked = self.sources[source]
        some = sorted(refs)[: source_type(source).places_size]
        if not some or not isinstance(asked, PlaceCheck):
            return
        for answer in asked.find_places(some, budget):
            place = refs[answer.place]
            if answer.ref is not None and place_key(answer.name) != place:
                renamed = place_renames.rename(self.db, source, place, answer.name, self.clock())
                log.warning("place renamed", feed=public_place(source, place), name=answer.name, done=renamed)
            else:
                # Nothing more can be learned by the id, which a later answer gives again if it is still the right one.
                taken = moved.get(place)
                place_checks.set_refs(self.db, source, {place: taken[1].ref if taken else None})

    def _read_alone(self, source: str, places: Sequence[str], budget: RequestTokens) -> None:
        """Read absent places one by one; the source says of each why it cannot be read, or serves it."""
        by_place = {feed.row.place: feed for feed in place_checks.feeds_of(self.db, source, places, self.clock())}
        for place, feed in by_place.items():
            request = ReadRequest(kind=feed.row.kind, places=(place,), since=self.clock())
            try:
                self.sources[source].read(request, budget)
            except FeedRefused as refusal:
                place_checks.set_reason(self.db, source, place, refusal.reason)
            else:
                # What was read is left to the next reading of the feed, which begins at its cursor.
                place_checks.clear(self.db, source, place)
