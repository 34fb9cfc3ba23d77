"""Precision and recall of queries on labelled items: ``make quality``. README.md says how the items were labelled."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from tests.quality.corpus_items import OtherCorpusError, labelled_items
from tests.quality.goals import HALVES, Label, goals, labels
from tests.quality.hits import QueryHits, find_hits
from tests.quality.tables import goals_table, summary_table, verdict

NOT_MEASURED = 2  # exit code
WIDTH = 120  # of a table, where the output is not a terminal


def main(arguments: list[str] | None = None) -> int:
    """Print the tables. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.quality", description=__doc__)
    parser.add_argument("--half", choices=HALVES, help="only this half: A is for tuning queries, B for judging them")
    parser.add_argument("--wrong", action="store_true", help="also list noise that is found and what is missed")
    options = parser.parse_args(arguments)
    corpus = os.environ.get("OVERHEARD_CORPUS")
    if not corpus:
        return _refuse("OVERHEARD_CORPUS is not set")
    judged = labels()
    try:
        items = labelled_items(Path(corpus), {label.item for label in judged})
    except FileNotFoundError as missing:
        return _refuse(f"There is no {missing.filename}")
    except OtherCorpusError as other:
        return _refuse(str(other))
    hits = find_hits(goals(), items)
    for half in [options.half] if options.half else HALVES:
        _print(half, judged, hits)
        if options.wrong:
            _print_wrong([label for label in judged if label.half == half], hits)
    return 0


def _refuse(reason: str) -> int:
    remedy = "Name the folder of the labelled posts and comments (tests/quality/README.md): OVERHEARD_CORPUS=FOLDER"
    print(f"{reason}. {remedy}", file=sys.stderr)
    return NOT_MEASURED


def _print(half: str, judged: list[Label], hits: QueryHits) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(goals_table(half, goals(), judged, hits))
    console.print(summary_table(half, judged, hits))
    console.print(verdict(half, judged, hits), highlight=False)


def _print_wrong(judged: Iterable[Label], hits: QueryHits) -> None:
    for label in judged:
        found = (label.goal, label.item) in hits.tuned
        if found != label.relevant:
            print(f"{label.goal:20} {'noise found' if found else 'missed':12} {label.item}")


if __name__ == "__main__":
    sys.exit(main())
