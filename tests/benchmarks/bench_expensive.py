"""How long 400 of the most expensive accepted queries of one workspace take on one item of 40,000 characters.

Run: python -m tests.benchmarks.bench_expensive
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from actors.match import Matcher
from overheard.db import migrate
from overheard.db.database import Db, open_database
from overheard.db.models import Feed, Query, Revision, Watch, WatchChange, Workspace
from overheard.items import Item
from overheard.observability.metrics import ProcessMetrics
from tests.benchmarks import expensive
from tests.benchmarks.figures import Figure, print_table

BUDGET_SECONDS = 2.0


def run() -> Iterator[Figure]:
    """The worst of each kind, and the next two."""
    took = {name: _matched(case) for name, case in expensive.cases().items()}
    worst = sorted(took, key=lambda name: took[name], reverse=True)[:3]
    name = f"{expensive.QUERIES} expensive queries, {expensive.CHARACTERS:,} characters"
    for each in worst:
        yield Figure(f"{name}: {each}", took[each], "s", BUDGET_SECONDS, False)
    older = max(map(_matched, expensive.older()))
    yield Figure("the same, accepted before there were limits", older, "s", None, False)


def _matched(case: expensive.Case) -> float:
    """Seconds that the stage takes for an item, once the queries are in its index."""
    texts, body = case
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(f"sqlite:///{Path(folder) / 'overheard.db'}")
        migrate.migrate(db)
        with db.session(), db.transaction():
            rows: tuple[tuple[Any, dict[str, Any]], ...] = (
                (Workspace, {"slug": "acme", "name": "", "every": "5m", "created_at": 0, "next_due_at": 0}),
                (Feed, {"source": "reddit", "kind": "posts", "place": "python", "created_at": 0}),
                (Watch, {"workspace": 1, "feed": 1, "kinds": "post", "created_at": 0}),
                (WatchChange, {"workspace_id": 1, "revision": 1}),
                (Revision, {"name": "interests", "value": 1}),
            )
            for table, row in rows:
                table.insert(**row).execute(db.peewee)
            _insert(
                db,
                Query,
                [{"workspace": 1, "name": str(at), "text": text, "revision": 1} for at, text in enumerate(texts)],
            )
        with db.session():
            matcher = Matcher(db=db, send=lambda message, delay=None: "", metrics=ProcessMetrics(CollectorRegistry()))
            matcher.refresh()
            item = Item(
                source="reddit",
                id="t3_1",
                kind="post",
                place="python",
                author=None,
                title="",
                body=body,
                created_at=0.0,
            )
            took = _seconds(lambda: matcher._match_item(item))
        db.release()
    return took


def _seconds(step: Callable[[], object]) -> float:
    """Of CPU time: other programs on the machine don't count."""
    gc.collect()
    started = time.process_time()
    step()
    return time.process_time() - started


def _insert(db: Db, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    some = list(rows)
    for start in range(0, len(some), 400):
        table.insert_many(some[start : start + 400]).execute(db.peewee)


if __name__ == "__main__":
    print_table(run(), "The most expensive queries")
