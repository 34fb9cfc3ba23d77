"""How fast items are held against all queries, what the queries cost, and how soon the stage is ready.

Run: python -m tests.benchmarks.bench_match

Queries are drawn from the text itself, in the mix that users of such tools write: brand-like words,
phrases, choices, words narrowed down by others. "Flood" rows are the opposite: phrases of any words,
such as "of the", each of a workspace that watches one of 95 subreddits. Items are the posts and
comments of OVERHEARD_CORPUS in the proportion in which Reddit gets them (one post to seven comments);
without it, sentences of the shipped sample with rare words among them, of the same lengths.
"""

import gc
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from actors.match import Matcher
from overheard.db import migrate
from overheard.db.connect import Db, open_database
from overheard.db.models import Change, Feed, Query, Revision, Watch, Workspace
from overheard.items import Item
from overheard.matching.index import QueryIndex
from overheard.matching.language import parse
from overheard.matching.text import words
from overheard.metrics import Metrics
from tests import corpus
from tests.benchmarks import expensive
from tests.benchmarks.figures import Figure, print_table
from tests.corpus import Fields

_SIZES = {1_000: None, 10_000: 2_000.0, 100_000: 10_000.0}
_ITEMS = 10_000
_FLOOD_ITEMS = 1_000
_WORKSPACES = 10_000
_FEEDS = 1_000
_READY_SECONDS = 15.0
_STAGE_RATE = 15_000.0  # items a second
_EXPENSIVE_SECONDS = 2.0


def run(sizes: dict[int, float | None] | None = None) -> list[Figure]:
    """Figures for each number of queries; `sizes` maps it to the budget in items a second."""
    chance = random.Random(2026)
    items = load_items(chance)
    figures = [Figure(f"items of {corpus.source()}", len(items), "")]
    figures.append(Figure("fold only, no queries", _rate(items, QueryIndex()), "items/s"))
    for size, budget in (sizes or _SIZES).items():
        texts = make_queries(items, size, chance)
        started = time.process_time()
        queries = [parse(text) for text in texts]
        parsed = time.process_time()
        index = QueryIndex()
        for key, query in enumerate(queries):
            index.add(key, query)
        built = time.process_time()
        hits = sum(len(index.match(item)) for item in items)
        figures += [
            Figure(f"match, {size:,} queries", _rate(items, index), "items/s", budget),
            Figure(f"hits an item, {size:,} queries", hits / len(items), ""),
            Figure(f"parse {size:,} queries", parsed - started, "s", None, False),
            Figure(f"index {size:,} queries", built - parsed, "s", None, False),
        ]
        figures.append(_change_cost(index, size))
    figures += _flood(items[:_FLOOD_ITEMS], max(sizes or _SIZES), chance)
    figures.append(Figure("process with 10,000 queries", _memory(10_000), "MB", 100, False))
    return [*figures, *_ready(items, chance), *_expensive()]


def load_items(chance: random.Random, count: int = _ITEMS) -> list[Fields]:
    """A shuffled mix of posts (title, body) and comments (body)."""
    if corpus.folder() is None:
        return _made(chance, count)
    posts = chance.sample(corpus.posts(), count // 8)
    comments = corpus.comments()
    items = posts + chance.sample(comments, min(len(comments), count - len(posts)))
    chance.shuffle(items)
    return items


def _made(chance: random.Random, count: int) -> list[Fields]:
    """Sentences of the sample, one word in eight a rare one: with a hundred texts alone no word would be rare."""
    texts = [text for item in (*corpus.posts(), *corpus.comments()) for text in item.values()]
    sentences = [sentence.split() for text in texts for sentence in re.split(r"(?<=[.?!])\s+", text)]

    def text() -> str:
        said = [word for _ in range(chance.choice((1, 1, 2, 2, 9))) for word in chance.choice(sentences)]
        return " ".join(f"w{chance.randrange(30_000):x}rd" if chance.random() < 0.12 else word for word in said)

    return [{"title": text(), "body": text()} if chance.random() < 0.125 else {"body": text()} for _ in range(count)]


def make_queries(items: list[Fields], count: int, chance: random.Random, flood: bool = False) -> list[str]:
    """Query texts: 40 % one word, 30 % a phrase, 10 % a choice, 15 % narrowed down, 5 % with symbols.

    Half of the words are in the text, half are not; phrases are, and have a rare word unless it is a flood.
    """
    said = [words(" ".join(item.values())) for item in items]
    seen = Counter(word for one in said for word in set(one))
    long = [one for one in said if len(one) > 4]
    # Nobody wants to be told about every "the": rare is what at most one item in 200 contains.
    rare = {word for word, often in seen.items() if often < len(items) / 200 and len(word) > 3}
    names = sorted(rare)

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
        common = chance.choice(long)[0]
        return f"{name()} AND {common}" if chance.random() < 0.5 else f"({name()} OR {phrase()}) -{common}"

    makers: list[Callable[[], str]] = [name, phrase, lambda: f"{name()} OR {phrase()}", narrowed]
    makers.append(lambda: chance.choice(("@{}", "#{}", "{}++", ".{}")).format(name()))
    return [maker() for maker in chance.choices(makers, (40, 30, 10, 15, 5), k=count)]


def _rate(items: list[Fields], index: QueryIndex, only: Callable[[int], bool] | None = None) -> float:
    """Items a second of CPU time, the best of three rounds: other programs on the machine don't count."""
    best = float("inf")
    for _ in range(3):
        gc.collect()
        started = time.process_time()
        for item in items:
            index.match(item, only)
        best = min(best, time.process_time() - started)
    return len(items) / best


def _flood(items: list[Fields], size: int, chance: random.Random) -> list[Figure]:
    """The worst mix: an item holds for a hundred queries, of which its subreddit lets a few through."""
    index = QueryIndex()
    for key, text in enumerate(make_queries(items, size, chance, flood=True)):
        index.add(key, parse(text))
    hits = sum(len(index.match(item)) for item in items) / len(items)
    watched = _rate(items, index, lambda key: key % 95 == 0)
    return [
        Figure(f"flood, {size:,} queries", _rate(items, index), "items/s"),
        Figure(f"flood, one subreddit of {size:,}", watched, "items/s"),
        Figure("flood, hits an item", hits, ""),
    ]


def _change_cost(index: QueryIndex, size: int) -> Figure:
    queries = [parse(f"acme{number} -jobs") for number in range(1_000)]
    started = time.process_time()
    for number, query in enumerate(queries):
        index.add(-1 - number, query)
    for number in range(1_000):
        index.remove(-1 - number)
    took = (time.process_time() - started) / 1_000
    return Figure(f"add and remove one of {size:,}", took * 1e6, "µs", None, False)


def _memory(size: int) -> float:
    """Peak resident MB of a fresh process that holds so many queries and has matched (Linux)."""
    script = (
        "import pathlib, random, re\n"
        "from tests.benchmarks import bench_match as bench\n"
        "chance = random.Random(1)\n"
        "index = bench.QueryIndex()\n"
        "items = bench.load_items(chance, 500)\n"
        f"for key, text in enumerate(bench.make_queries(items, {size}, chance)):\n"
        "    index.add(key, bench.parse(text))\n"
        "for item in items:\n"
        "    index.match(item)\n"
        # Not getrusage: its peak is inherited from the process that started this one.
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) / 1024)\n"
    )
    return float(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout)


def _ready(items: list[Fields], chance: random.Random) -> list[Figure]:
    """From a start to an index of all that is stored; then a few workspaces that change."""
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(f"sqlite:///{Path(folder) / 'overheard.db'}")
        migrate.migrate(db)
        with db.session():
            _store(db, make_queries(items, 100_000, chance), chance)
            matcher = Matcher(db=db, send=lambda message, delay=None: "", metrics=Metrics(CollectorRegistry()))
            ready = _seconds(matcher.refresh)
            gc.freeze()  # as the stage does, once it is ready
            rate = _stage_rate(matcher, items, chance)
            gc.unfreeze()
            with db.transaction():
                Revision.update(value=_WORKSPACES + 10).execute(db.peewee)
                Change.update(revision=_WORKSPACES + 10).where(Change.workspace_id <= 10).execute(db.peewee)
            change = _seconds(matcher.refresh)
        db.release()
    name = f"100,000 queries of {_WORKSPACES:,} workspaces"
    return [
        Figure(f"ready with {name}", ready, "s", _READY_SECONDS, False),
        Figure("10 workspaces of them change", change * 1000, "ms", None, False),
        Figure("through the stage, 100,000 queries", rate, "items/s", _STAGE_RATE),
    ]


def _stage_rate(matcher: Matcher, items: list[Fields], chance: random.Random) -> float:
    """Items a second of the stage, each of one of the feeds: what others watch costs nothing."""
    found = [
        Item(
            f"t3_{at}",
            "post",
            f"s{chance.randrange(1, _FEEDS)}",
            None,
            each.get("title", ""),
            each["body"],
            "",
            "",
            0.0,
        )
        for at, each in enumerate(items)
    ]
    return len(found) / min(_seconds(lambda: [matcher._match_item(item) for item in found]) for _ in range(3))


def _store(db: Db, texts: list[str], chance: random.Random) -> None:
    """Workspaces with their queries, each watching ten of the feeds, and one in twenty all of Reddit."""
    ids = range(1, _WORKSPACES + 1)
    per = len(texts) // _WORKSPACES

    def watched() -> set[int]:
        return {*chance.sample(range(2, _FEEDS), 10), *([1] if chance.random() < 0.05 else [])}

    names = ["all", *(f"s{number}" for number in range(1, _FEEDS))]
    workspace: dict[str, Any] = {"name": "w", "every": "5m", "created_at": 0, "next_due_at": 0}
    with db.transaction():
        Revision.insert(name="interests", value=_WORKSPACES).execute(db.peewee)
        for table, rows in (
            (Feed, ({"source": "reddit", "kind": "posts", "name": name, "created_at": 0} for name in names)),
            (Workspace, ({"slug": f"w{each}", **workspace} for each in ids)),
            (Query, ({"workspace": 1 + at // per, "name": f"q{at}", "text": text} for at, text in enumerate(texts))),
            (Watch, ({"workspace": each, "feed": feed, "created_at": 0} for each in ids for feed in watched())),
            (Change, ({"workspace_id": each, "revision": each} for each in ids)),
        ):
            _insert(db, table, rows)


def _insert(db: Db, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    some = list(rows)
    for start in range(0, len(some), 400):
        table.insert_many(some[start : start + 400]).execute(db.peewee)


def _expensive() -> list[Figure]:
    """400 of the most expensive queries of one workspace on one item: the worst of each kind, and the next two."""
    took = {name: _matched(case) for name, case in expensive.cases().items()}
    worst = sorted(took, key=lambda name: took[name], reverse=True)[:3]
    name = f"{expensive.QUERIES} expensive queries, {expensive.CHARACTERS:,} characters"
    figures = [Figure(f"{name}: {each}", took[each], "s", _EXPENSIVE_SECONDS, False) for each in worst]
    older = max(map(_matched, expensive.older()))
    return [*figures, Figure("the same, accepted before there were limits", older, "s", None, False)]


def _matched(case: expensive.Case) -> float:
    """Seconds that the stage takes for an item, once the queries are in its index."""
    texts, body = case
    with tempfile.TemporaryDirectory() as folder:
        db = open_database(f"sqlite:///{Path(folder) / 'overheard.db'}")
        migrate.migrate(db)
        with db.session(), db.transaction():
            rows: tuple[tuple[Any, dict[str, Any]], ...] = (
                (Workspace, {"slug": "acme", "name": "", "every": "5m", "created_at": 0, "next_due_at": 0}),
                (Feed, {"source": "reddit", "kind": "posts", "name": "python", "created_at": 0}),
                (Watch, {"workspace": 1, "feed": 1, "created_at": 0}),
                (Change, {"workspace_id": 1, "revision": 1}),
                (Revision, {"name": "interests", "value": 1}),
            )
            for table, row in rows:
                table.insert(**row).execute(db.peewee)
            _insert(db, Query, [{"workspace": 1, "name": str(at), "text": text} for at, text in enumerate(texts)])
        with db.session():
            matcher = Matcher(db=db, send=lambda message, delay=None: "", metrics=Metrics(CollectorRegistry()))
            matcher.refresh()
            item = Item("t3_1", "post", "python", None, "", body, "", "", 0.0)
            took = _seconds(lambda: matcher._match_item(item))
        db.release()
    return took


def _seconds(step: Callable[[], object]) -> float:
    """Of CPU time: other programs on the machine don't count."""
    gc.collect()
    started = time.process_time()
    step()
    return time.process_time() - started


if __name__ == "__main__":
    print_table(run(), "match")
