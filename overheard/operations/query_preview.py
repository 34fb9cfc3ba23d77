"""What a query finds in the sample of recent items: hits, how many a day, where, and what small changes would do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from overheard.db import sample, workspaces
from overheard.db.database import Db
from overheard.items import ALL, Item
from overheard.matching.index.query_index import Hit, QueryIndex
from overheard.matching.item.leaf_finder import Highlight
from overheard.matching.item.texts import all_texts_of
from overheard.matching.language import ParsedQuery
from overheard.operations.narrower_queries import is_plain, narrower, within_place, within_source, without_author
from overheard.operations.rates import RateEstimate
from overheard.sources.registry import public_place

MAX_SHOWN = 50  # hits with their texts, the newest
MAX_SUGGESTIONS = 5
LEAST_CHANGE = 0.2  # of the hits: a change that leaves out fewer says nothing
LEAST_IN_PLACE = 0.2  # of the hits: a place with fewer is not where most of them are
UNSEEN_HITS = 3  # the rule of three: with 95 % certainty, what has no hit in a sample has fewer than 3 of its size
FREQUENT_AUTHOR = 0.3  # of the hits
MAX_TRIED = 1000  # hits on which changes are tried; of more hits, these stand for all

Place = tuple[str, str]  # a source, and the place as it is shown


class SampleHit(msgspec.Struct, frozen=True):
    """An item of the sample that the query matches."""

    item: Item
    highlights: tuple[Highlight, ...]


class PlaceHits(msgspec.Struct, frozen=True):
    """How many of the hits a place has, and how many a day."""

    source: str
    place: str
    hits: int
    per_day: float


class NarrowerQuery(msgspec.Struct, frozen=True):
    """A changed query, and how many of the hits it leaves."""

    query: str
    hits: int


class Preview(msgspec.Struct, frozen=True):
    """What the query finds among ``sampled`` items, which stand for what was read in ``hours``."""

    sampled: int
    hits: int
    per_day: float
    hours: float
    by_place: tuple[PlaceHits, ...]
    suggestions: tuple[NarrowerQuery, ...]
    shown: tuple[SampleHit, ...]
    most_per_day: float = 0.0  # hits that there may be though none is in the sample; 0 if there is one


class _Tally:
    """Counts of the hits, and some of them, gathered in one pass."""

    def __init__(self) -> None:
        self.sampled = 0
        self.stands_for = 0.0
        self.hits = 0
        self.by_place: Counter[Place] = Counter()
        self.by_author: Counter[str] = Counter()
        self.hidden: set[Place] = set()  # places of which a part is secret
        self.forms: dict[str, Counter[str]] = defaultdict(Counter)
        self.tried: list[Item] = []
        self._newest: list[SampleHit] = []

    def add(self, item: Item, place: Place, hit: Hit) -> None:
        self.hits += 1
        self.by_place[place] += 1
        if place[1] != item.place:
            self.hidden.add(place)
        if item.author is not None:
            self.by_author[item.author] += 1
        if len(self.tried) < MAX_TRIED:
            self.tried.append(item)
            self._note_forms(item, hit)
        self._newest.append(SampleHit(item, hit.highlights))
        if len(self._newest) > 2 * MAX_SHOWN:
            self._newest = list(self.newest)

    def _note_forms(self, item: Item, hit: Hit) -> None:
        texts = {str(field): text for field, text in all_texts_of(item).items()}
        for term, field, start, end in hit.why:
            written = texts[field][start:end]
            # "Looking for" is not a name.
            is_name = written != written.lower() and not (" " in term and _begins_a_sentence(texts[field], start))
            if is_plain(term) and is_name and '"' not in written:
                self.forms[term][written] += 1

    @property
    def newest(self) -> Sequence[SampleHit]:
        return sorted(self._newest, key=lambda hit: -hit.item.created_at)[:MAX_SHOWN]


def preview(db: Db, slug: str, query: ParsedQuery, *, now: float, seconds: float) -> Preview:
    """Try a query on the sample's items of the last ``seconds``, of the places that a workspace watches.

    Raises NotFound.
    """
    workspace_id = workspaces.by_name(db, slug).id
    index, tally = QueryIndex(), _Tally()
    index.add(0, query)
    rates: RateEstimate[Place | None] = RateEstimate(sample.coverage(db, now - seconds, workspace_id), now)
    for sampled in sample.sampled_items(db, workspace_id, since=now - seconds):
        tally.sampled += 1
        tally.stands_for += sampled.weight
        item = sampled.item
        place = item.source, public_place(item.source, item.place)
        found = index.match(item)
        for hit in found:
            tally.add(item, place, hit)
        rates.see(sampled, [None, place] if found else [])
    by_place = {place: round(rates.per_day(place), 1) for place in tally.by_place}
    unseen = UNSEEN_HITS * tally.stands_for / tally.sampled * 24 / rates.hours if tally.sampled else 0.0
    return Preview(
        sampled=tally.sampled,
        hits=tally.hits,
        per_day=round(rates.per_day(None), 1),
        hours=rates.hours,
        by_place=tuple(
            PlaceHits(*place, tally.by_place[place], by_place[place])
            for place in sorted(by_place, key=lambda place: (-by_place[place], place))
        ),
        suggestions=tuple(_worth_saying(query, tally)),
        shown=tuple(tally.newest),
        most_per_day=0.0 if tally.hits else round(unseen, 1),
    )


def taming(query: ParsedQuery, found: Iterable[Item]) -> tuple[int, tuple[NarrowerQuery, ...]]:
    """Return how many of the items the query matches, and the changes that leave out a good part of them.

    For what a query has found already, which says more than the sample.
    """
    index, tally = QueryIndex(), _Tally()
    index.add(0, query)
    for item in found:
        for hit in index.match(item):
            tally.add(item, (item.source, public_place(item.source, item.place)), hit)
    return tally.hits, tuple(_worth_saying(query, tally))


def _begins_a_sentence(text: str, start: int) -> bool:
    """Return True for the beginning of a text or a sentence, where any word has a capital."""
    before = text[:start].rstrip(" \t\"'“‘([*_>#-")
    return not before or before[-1] in ".!?:…\n"


def _worth_saying(query: ParsedQuery, tally: _Tally) -> Iterator[NarrowerQuery]:
    """Yield the changes that leave out a good part of the hits, and not all of them; a few at most."""
    found = [*_left_by_changes(query, tally), *_left_by_place_and_author(query, tally)]
    telling = [(text, left) for text, left in found if 1 <= left <= (1 - LEAST_CHANGE) * tally.hits]
    for text, left in telling[:MAX_SUGGESTIONS]:
        yield NarrowerQuery(text, left)


def _left_by_changes(query: ParsedQuery, tally: _Tally) -> Iterator[tuple[str, int]]:
    changes = narrower(query, {term: forms.most_common(1)[0][0] for term, forms in tally.forms.items()})
    index = QueryIndex()
    for key, (_, changed) in enumerate(changes):
        index.add(key, changed)
    left = Counter(hit.key for item in tally.tried for hit in index.match(item))
    for key, (text, _) in enumerate(changes):
        yield text, round(left[key] * tally.hits / max(len(tally.tried), 1))


def _left_by_place_and_author(query: ParsedQuery, tally: _Tally) -> Iterator[tuple[str, int]]:
    for place, count in tally.by_place.most_common(1):
        if place in tally.hidden or count < LEAST_IN_PLACE * tally.hits:
            continue
        source, name = place
        if text := within_source(query, source) if name == ALL else within_place(query, name):
            yield text, count
    for author, count in tally.by_author.most_common(1):
        if count > max(FREQUENT_AUTHOR * tally.hits, 1) and (text := without_author(query, author)):
            yield text, tally.hits - count
