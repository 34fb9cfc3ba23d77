"""Compare random queries and items with the evaluator, very many of them, and print what differs."""

from __future__ import annotations

import argparse
import sys
import time

from hypothesis import HealthCheck, Phase, given, settings

from overheard.matching import document
from overheard.matching.index import matches
from tests.evaluator.comparison import Case, cases, difference, parsed

SHOWN = 20  # mismatches


def compare(pairs: int) -> int:
    """Compare that many pairs of a query and an item; return how many differ."""
    document.MAX_HIGHLIGHTS = 100_000  # the evaluator has no limit
    compared = held = refused = 0
    mismatches: list[str] = []
    started = time.monotonic()

    @given(cases)
    @settings(
        max_examples=pairs,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def compare_case(case: Case) -> None:
        nonlocal compared, held, refused
        texts, items = case
        if compared >= pairs:
            return
        for text in texts:
            query = parsed(text)
            refused += query is None
            for item in items if query is not None else ():
                compared += 1
                hit = matches(query, item)
                held += hit is not None
                message = difference(query, item, hit)
                if message:
                    mismatches.append(f"{text}\n    {item}\n    {message}")

    while compared < pairs:
        compare_case()
    seconds = time.monotonic() - started
    for mismatch in sorted(mismatches, key=len)[:SHOWN]:
        print(mismatch)
    print(
        f"{compared:,} pairs of a query and an item in {seconds:,.0f} s: {held:,} hold; "
        f"{refused:,} queries were refused; {len(mismatches):,} mismatches"
    )
    return len(mismatches)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=100_000)
    sys.exit(compare(options.parse_args().pairs) > 0)
