"""The index beside what else finds many words in a text at once, with the same queries and items, in CPU time.

Run: python -m tests.benchmarks.bench_automata

An automaton (Aho-Corasick) finds the words under which the index files its queries, as they are written, in the lower
case of an item's texts. The queries of owners who watch the item's place are then evaluated, as the index does it.
That is not the same: an automaton knows no accents, no markup or entities within a word, no other way to write a word
(wi-fi, node.js) and no stems; so it misses hits, which are counted. Nor can a query be added to it: it is built anew.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import ahocorasick_rs
import daachorse

from overheard.matching.index.anchors import EVERY_ITEM, Anchor, AnchorChooser
from overheard.matching.index.fast_words import forms
from overheard.matching.index.query_index import QueryIndex
from overheard.matching.item.document import Document
from overheard.matching.tree import ParsedQuery
from tests.benchmarks.bench_match import OWNED, Seen, filled, item_of, load_items, make_queries, of_size, one_round
from tests.benchmarks.figures import Figure, print_table

QUERIES, LOOPED = 100_000, 1_000
SOME = 1_000  # items, for what is missed

Find = Callable[[str], Iterator[tuple[int, int, int]]]  # the start and end of each place, and which word it is


class Wanted(NamedTuple):
    """A query that needs a word, and whose it is."""

    key: int
    owner: int
    query: ParsedQuery


def run(count: int = QUERIES) -> Iterator[Figure]:
    """Figures of ours, then the others with how many times as fast ours is."""
    chance = random.Random(2026)
    fields = load_items(chance)
    built = yield from of_size(make_queries(fields, count, chance), list(map(item_of, fields)), None, chance)
    queries, index, seen, ours = built
    words = words_of(queries)
    for name, build in BUILDERS.items():
        started = time.process_time()
        matcher = AutomatonMatcher(words, build(list(words)))
        took = time.process_time() - started
        rate = one_round(seen, matcher.match)
        yield Figure(f"{name} and verification: ours is {ours / rate:.2f} × as fast", rate, "items/s")
        yield Figure("… built in", took, "s", None, False)
        yield Figure("… misses of our hits", _missed(seen[:SOME], index, matcher), "%", None, False)
        bare = one_round(seen, lambda one, find=matcher.find: sum(1 for _ in find(text_of(one))))  # type: ignore[misc]
        yield Figure(f"{name} alone, no verification: ours is {ours / bare:.2f} × as fast", bare, "items/s")
    folded = one_round(seen, lambda one: forms(text_of(one)))
    yield Figure(f"words and pairs alone, no queries: ours is {ours / folded:.2f} × as fast", folded, "items/s")
    yield from _loop(queries[:LOOPED], seen)


class AutomatonMatcher:
    """Find words, and evaluate the queries that need them."""

    def __init__(self, words: dict[str, list[Wanted]], find: Find) -> None:
        self.find = find
        self._of_word = list(words.values())

    def match(self, one: Seen) -> list[int]:
        """Return the keys of the queries that hold, as far as the automaton finds them."""
        text = text_of(one)
        candidates: dict[int, ParsedQuery] = {}
        for start, end, number in self.find(text):
            # Inside longer words: nearly all of what it finds of short words, and hardly ever meant.
            if text[start - 1 : start].isalnum() or text[end : end + 1].isalnum():
                continue
            for key, owner, query in self._of_word[number]:
                if owner in one.watchers:
                    candidates[key] = query
        if not candidates:
            return []
        document = Document(one.item)
        hits = [key for key, query in candidates.items() if query.holds(document)]
        for key in hits:
            document.places(candidates[key].positive_leaves())
        return hits


def words_of(queries: list[ParsedQuery]) -> dict[str, list[Wanted]]:
    """The words that an automaton has to find, with the queries that need one of them; wildcards are left out."""
    rarity = AnchorChooser()
    words: dict[str, list[Wanted]] = {}
    for key, query in enumerate(queries):
        for anchor in rarity.anchors(query):
            if anchor != EVERY_ITEM and (word := _word(anchor)).isalnum():
                words.setdefault(word, []).append(Wanted(key, key // OWNED, query))
    return words


def text_of(one: Seen) -> str:
    """An item's texts in lower case, as one."""
    return f"{one.item.title}\n{one.item.body}\n{one.item.url}".lower()


def _word(anchor: Anchor) -> str:
    """The longer of a pair's words: presumably the rarer one."""
    return anchor if isinstance(anchor, str) else max(anchor, key=len)


def _missed(seen: list[Seen], index: QueryIndex, matcher: AutomatonMatcher) -> float:
    """How many in a hundred hits of the index the automaton does not lead to."""
    hits = [({hit.key for hit in index.match(one.item, one.item.found_in)}, set(matcher.match(one))) for one in seen]
    return 100 * sum(len(ours - theirs) for ours, theirs in hits) / max(1, sum(len(ours) for ours, _ in hits))


def _loop(queries: list[ParsedQuery], seen: list[Seen]) -> Iterator[Figure]:
    """A regular expression for each query, one after the other: any of its words."""
    index = filled(queries, [])
    ours = one_round(seen, lambda one: index.match(one.item))
    words = words_of(queries)
    by_key: dict[int, list[str]] = {}
    for word, wanted in words.items():
        for key, _, _ in wanted:
            by_key.setdefault(key, []).append(word)
    compiled = [re.compile(rf"\b(?:{'|'.join(map(re.escape, some))})\b") for some in by_key.values()]

    def look(one: Seen) -> list[re.Pattern[str]]:
        text = text_of(one)
        return [pattern for pattern in compiled if pattern.search(text)]

    rate = one_round(seen, look)
    name = f"a loop of re, {len(queries):,} queries, no verification"
    yield Figure(f"{name}: ours is {ours / rate:.0f} × as fast", rate, "items/s")


def _daachorse(words: list[str]) -> Find:
    automaton = daachorse.CharwiseDoubleArrayAhoCorasick(words)
    return lambda text: iter(automaton.find_overlapping(text))


def _ahocorasick_rs(words: list[str]) -> Find:
    automaton = ahocorasick_rs.AhoCorasick(words)
    return lambda text: (
        (start, end, number) for number, start, end in automaton.find_matches_as_indexes(text, overlapping=True)
    )


BUILDERS: dict[str, Callable[[list[str]], Find]] = {"daachorse": _daachorse, "ahocorasick-rs": _ahocorasick_rs}


if __name__ == "__main__":
    print_table(run(), "The index beside automata")
