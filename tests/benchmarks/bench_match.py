"""How fast items are held against all queries, and what the queries cost: the index alone, in CPU time.

Run: python -m tests.benchmarks.bench_match [1000000]

Queries are drawn from the text itself, in the mix that users of such tools write: brand-like words,
phrases, choices, words narrowed down by others. Ten of them belong to a workspace, which watches three of 95 places.
"Flood" rows are the opposite: phrases of any words, such as "of the", each of a workspace that watches one of 95
subreddits. Items are posts and comments in the proportion in which Reddit gets them (one post to seven comments);
texts.py says of which text.
"""

import gc
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence, Sized
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from overheard.items import Item, ItemKind, WatchKey
from overheard.matching.index.query_index import QueryIndex
from overheard.matching.language import parse
from overheard.matching.text.words import read
from overheard.matching.tree import ParsedQuery
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.texts import Fields, item_of, load_items

__all__ = ["item_of", "load_items", "make_queries"]

T = TypeVar("T")

SIZES: dict[int, float | None] = {1_000: None, 10_000: 10_000.0}  # 100,000: bench_automata.py
FLOOD = 10_000  # queries
ROUNDS, ROUND_SECONDS = 2, 1.0
PLACES, WATCHED = 95, 3
KINDS: tuple[ItemKind, ...] = ("post", "comment")
OWNED = 10  # queries of an owner
SOME = 500  # items, for what is counted
OPERATORS = {"and", "or", "not", "near"}


class Seen(NamedTuple):
    """An item, and the owners that watch its place."""

    item: Item
    watchers: set[int]


def run(sizes: dict[int, float | None] | None = None) -> Iterator[Figure]:
    """Figures for each number of queries; `sizes` maps it to the budget in items a second."""
    chance = random.Random(2026)
    fields = load_items(chance)
    items = list(map(item_of, fields))
    yield Figure("its words and pairs only, no queries", _rate(items, QueryIndex().match), "items/s")
    for size, budget in (sizes or SIZES).items():
        yield from of_size(make_queries(fields, size, chance), items, budget, chance)
    yield from _flood(fields, FLOOD, chance)
    yield Figure("process with 10,000 queries", _memory(10_000), "MB", 90, False)
    if not sizes:
        print("1,000,000 queries: not measured; python -m tests.benchmarks.bench_match 1000000 does it in some minutes")


class Built(NamedTuple):
    """The queries of a size in an index, items with those who watch their places, and items a second."""

    queries: list[ParsedQuery]
    filed: QueryIndex
    seen: list[Seen]
    rate: float


def of_size(
    texts: list[str], items: list[Item], budget: float | None, chance: random.Random
) -> Generator[Figure, None, Built]:
    """Figures of an index of these queries."""
    size = len(texts)
    before, started = _resident(), time.process_time()
    queries = [parse(text) for text in texts]
    parsed = time.process_time()
    watchers = watched(size // OWNED, chance)
    index = filled(queries, watchers)
    built = time.process_time()
    grown = _resident() - before
    seen = [found_somewhere(item, watchers, chance) for item in items]
    rate = _rate(seen, lambda one: index.match(one.item, one.item.found_in))
    yield Figure(f"match, {size:,} queries", rate, "items/s", budget)
    yield Figure("… an item", 1e6 / rate, "µs")
    yield Figure("… parsed and indexed in", built - started, "s", None, False)
    yield Figure("… of which parsing", parsed - started, "s", None, False)
    yield Figure("… memory for them", grown, "MB", None, False)
    yield Figure(
        "… queries found by an item's words",
        _mean(seen, lambda one: index._candidates(index._lookup.anchors_in(one.item), None)),
        "",
    )
    wanted = _mean(seen, lambda one: index._candidates(index._lookup.anchors_in(one.item), one.item.found_in))
    yield Figure("… of them, wanted at its place", wanted, "")
    yield Figure("… of them, hits", _mean(seen, lambda one: index.match(one.item, one.item.found_in)), "")
    yield Figure("… always evaluated", 100 * index.always_evaluated / size, "%")
    yield _change_cost(index)
    return Built(queries, index, seen, rate)


def _mean(seen: list[Seen], find: Callable[[Seen], Sized]) -> float:
    return sum(len(find(one)) for one in seen[:SOME]) / SOME


def filled(queries: Sequence[ParsedQuery], watchers: list[set[int]]) -> QueryIndex:
    """An index of these queries, each owner's one after the other, with those who watch each place."""
    index = QueryIndex()
    places: dict[int, list[WatchKey]] = {}
    for number, owners in enumerate(watchers):
        for owner in owners:
            places.setdefault(owner, []).extend(("reddit", kind, f"place{number}") for kind in KINDS)
    for owner, its_places in places.items():
        index.watch(owner, its_places)
    for key, query in enumerate(queries):
        index.add(key, query, owner=key // OWNED)
    return index


def watched(owners: int, chance: random.Random) -> list[set[int]]:
    """Those who watch each place."""
    watchers: list[set[int]] = [set() for _ in range(PLACES)]
    for owner in range(owners):
        for place in chance.sample(range(PLACES), WATCHED):
            watchers[place].add(owner)
    return watchers


def found_somewhere(item: Item, watchers: list[set[int]], chance: random.Random) -> Seen:
    """The item in any place, with those who watch it."""
    number = chance.randrange(PLACES)
    return Seen(msgspec.structs.replace(item, place=f"place{number}"), watchers[number])


def make_queries(items: list[Fields], count: int, chance: random.Random, flood: bool = False) -> list[str]:
    """Query texts: 38 % one word, 26 % a phrase, 9 % a choice, 13 % narrowed down, 4 % with symbols, 10 % of the rest.

    The rest: exact case, proximity, fields, tight names (acme.io, wi-fi), and one in a hundred each a wildcard, a stem
    and a regular expression. Half of the words are in the text, half are not; phrases are, and have a rare word unless
    it is a flood.
    """
    said = [read(" ".join(item.values()))[0] for item in items]
    seen = Counter(word for one in said for word in set(one))
    long = [one for one in said if len(one) > 4]
    # Nobody wants to be told about every "the": rare is what at most one item in 200 contains.
    rare = {word for word, often in seen.items() if often < len(items) / 200 and len(word) > 3}
    # Numbers would not do as a stem: ~32 is a distance.
    names = sorted(word for word in rare - OPERATORS if word.isalpha())

    def name() -> str:
        known = chance.choice(names)
        return known if chance.random() < 0.5 else known + chance.choice(names)[:4]

    def phrase() -> str:
        while True:
            one = chance.choice(long)
            at = chance.randrange(len(one) - 3)
            part = one[at : at + chance.choice((2, 2, 3))]
            if flood or rare.intersection(part):
                return f'"{" ".join(part)}"'

    def narrowed() -> str:
        common = next(word for word in chance.choice(long) if word not in OPERATORS)
        return f"{name()} AND {common}" if chance.random() < 0.5 else f"({name()} OR {phrase()}) -{common}"

    def form(*forms: str) -> Callable[[], str]:
        return lambda: chance.choice(forms).format(name(), name())

    makers: list[tuple[int, Callable[[], str]]] = [
        (38, name),
        (26, phrase),
        (9, lambda: f"{name()} OR {phrase()}"),
        (13, narrowed),
        (4, form("@{}", "#{}", "{}++", ".{}")),
        (2, form("={}", "{} -in:link")),
        (2, form('"{} {}"~8', "{} NEAR/10 {}")),
        (1, form("title:{}", "url:{}", "domain:{}.com")),
        (2, form("{}.io", "{}-{}", "{}'s")),
        (1, form("{}*", "*{}")),
        (1, form("~{}")),
        (1, form("/{}-?{}/")),
    ]
    weights, made = zip(*makers, strict=True)
    return [maker() for maker in chance.choices(made, weights, k=count)]


def _rate(items: Sequence[T], work: Callable[[T], object]) -> float:
    """Items a second of CPU time, the best of some rounds: other programs on the machine do not count."""
    return max(one_round(items, work) for _ in range(ROUNDS))


def one_round(items: Sequence[T], work: Callable[[T], object]) -> float:
    """As many items as there is time for, so that a slow machine, or a flood, takes no longer."""
    gc.collect()
    done, started = 0, time.process_time()
    for item in items:
        work(item)
        done += 1
        if done % 10 == 0 and time.process_time() - started > ROUND_SECONDS:
            break
    return done / (time.process_time() - started)


def _flood(items: list[Fields], size: int, chance: random.Random) -> list[Figure]:
    """The worst mix: an item holds for a hundred queries, of which its subreddit lets a few through."""
    index = QueryIndex()
    for number in range(PLACES):
        index.watch(number, [("reddit", kind, f"place{number}") for kind in KINDS])
    for key, text in enumerate(make_queries(items, size, chance, flood=True)):
        index.add(key, parse(text), owner=key % PLACES)
    made = list(map(item_of, items))
    hits = sum(len(index.match(item)) for item in made[:SOME]) / SOME
    return [
        Figure(f"flood, {size:,} queries", _rate(made, index.match), "items/s"),
        Figure(
            f"flood, one subreddit of {size:,}", _rate(made, lambda item: index.match(item, item.found_in)), "items/s"
        ),
        Figure("flood, hits an item", hits, ""),
    ]


def _change_cost(index: QueryIndex) -> Figure:
    queries = [parse(f"acme{number} -jobs") for number in range(1_000)]
    started = time.process_time()
    for number, query in enumerate(queries):
        index.add(-1 - number, query)
    for number in range(1_000):
        index.remove(-1 - number)
    took = (time.process_time() - started) / 1_000
    return Figure("… to add and remove one", took * 1e6, "µs", None, False)


def _resident() -> float:
    """The memory of this process in MB, now (Linux)."""
    gc.collect()
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def _memory(size: int) -> float:
    """Peak resident MB of a fresh process that holds so many queries and has matched (Linux)."""
    script = (
        "import pathlib, random, re\n"
        "from tests.benchmarks import bench_match as bench\n"
        "chance = random.Random(1)\n"
        "index = bench.QueryIndex()\n"
        "items = bench.load_items(chance, 2_000)\n"
        f"for key, text in enumerate(bench.make_queries(items, {size}, chance)):\n"
        "    index.add(key, bench.parse(text))\n"
        "for fields in items[:500]:\n"
        "    index.match(bench.item_of(fields))\n"
        # Not getrusage: its peak is inherited from the process that started this one.
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) / 1024)\n"
    )
    return float(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout)


if __name__ == "__main__":
    print_table(run({int(size): None for size in sys.argv[1:]} or None), "The index of queries alone")
