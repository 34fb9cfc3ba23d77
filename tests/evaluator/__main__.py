"""Compare random queries and items with the evaluator, very many of them, and print what differs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from overheard.matching.index.query_index import QueryIndex, matches
from overheard.matching.item import document, plain_texts
from overheard.matching.language import ParsedQuery
from tests.evaluator.comparison import Case, case, difference
from tests.evaluator.paragraphs import ReadItem

SHOWN = 20  # mismatches
QUERIES, ITEMS = 10, 10  # of a case, at most


class Outcome(NamedTuple):
    """One query and one item: whether it holds, and what differs."""

    query: ParsedQuery
    item: ReadItem
    held: bool
    message: str


def outcomes(one: Case) -> Iterator[Outcome]:
    """Compare the index of all queries, of each of them, and each of them without an index, with the evaluator."""
    index = QueryIndex(one.learned)
    indexes_of_one = [QueryIndex(one.learned) for _ in one.queries]
    for key, query in enumerate(one.queries):
        index.add(key, query)
        indexes_of_one[key].add(key, query)
    for item in one.items:
        hits = {hit.key: hit for hit in index.match(item.item)}
        for key, query in enumerate(one.queries):
            message = difference(query, item, hits.get(key))
            alone = matches(query, item.item)
            if not message and (alone and alone._replace(key=key)) != hits.get(key):
                message = f"without an index: {alone}"
            if not message and indexes_of_one[key].match(item.item) != [hit for hit in hits.values() if hit.key == key]:
                message = "in an index of its own it is found otherwise"
            yield Outcome(query, item, key in hits, message)


def compare(pairs: int, seed: int) -> int:
    """Compare that many pairs of a query and an item; return how many differ."""
    # The evaluator has no limits.
    document.MAX_HIGHLIGHTS = plain_texts.MAX_FURTHER = plain_texts.MAX_FURTHER_CHARACTERS = 100_000
    chance = Random(seed)
    compared = held = 0
    mismatches: list[Outcome] = []
    started = time.monotonic()
    while compared < pairs:
        for outcome in outcomes(case(chance, QUERIES, ITEMS)):
            compared += 1
            held += outcome.held
            mismatches += [outcome] if outcome.message else []
    for outcome in sorted(mismatches, key=lambda one: len(f"{one.query}{one.item.item}"))[:SHOWN]:
        print(f"{outcome.query}\n    {outcome.item.item}\n    {outcome.message}")
    print(
        f"{compared:,} pairs of a query and an item in {time.monotonic() - started:,.0f} s, {held:,} of them hold; "
        f"{len(mismatches):,} mismatches (--seed {seed})"
    )
    return len(mismatches)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = options.parse_args()
    sys.exit(compare(arguments.pairs, arguments.seed) > 0)
