"""What sources cost: CPU for a thousand items of each, and a stream at its peak and five times that, on one core.

Run: python -m tests.benchmarks.bench_source_costs

Simulators run in processes of their own, so that only the source is measured: its HTTP or WebSocket, decoding, HTML to
text, feedparser.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from prometheus_client import CollectorRegistry

from overheard.config.loading import load
from overheard.db import queries, refreshes
from overheard.db.models import Feed, Query, StoredItem, Watch, Workspace
from overheard.observability import log
from overheard.observability.metrics import ProcessMetrics
from overheard.simulators.http.exchange import SimulatedRequest
from overheard.simulators.reddit.traffic import sample
from overheard.sources import ReadRequest, RequestTokens, Source
from overheard.sources.feeds import document
from overheard.sources.html_text import html_to_text
from overheard.sources.registry import SOURCES
from overheard.workspaces import WatchSpec
from tests.benchmarks.bench_match import make_queries
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.source_rigs import RIGS, BlueskyRig, FeedsRig, HackerNewsRig, SourceRig
from tests.benchmarks.texts import load_items
from tests.servers.farm import Farm

ITEMS = 1_000
FEW_ITEMS = 200  # of sources that request each item by itself
RATES = (36.0, 180.0)  # posts a second: Bluesky's busiest hour, and five times that
STREAM_SECONDS = 12.0
QUERIES, WORKSPACES = 10_000, 1_000
WORD = "needle"
WORD_SHARE = 0.1  # of the posts are stored
HTML = "<p>{}</p><p>See <a href='https://example.org/a/long/address'>example.org/a/lo…</a> &amp; <i>more</i></p>"


class UnlimitedTokens:
    """A budget for everything."""

    def of(self, name: str) -> RequestTokens:
        return self

    def soonest(self, names: Sequence[str]) -> str:
        return names[0]

    def acquire(self) -> None: ...

    def observe(self, remaining: float, reset: float) -> None: ...

    def block(self, seconds: float) -> None: ...


class RigProcess:
    """A simulator in a process of its own. ``publish`` returns when it has published so many items."""

    def __init__(self, make: Callable[[], SourceRig]) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(make, theirs), daemon=True)
        self._process.start()
        self.settings: dict[str, str]
        self.watch: WatchSpec
        self.settings, self.watch = self._pipe.recv()

    def publish(self, texts: list[str]) -> None:
        self._pipe.send(texts)
        self._pipe.recv()

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


def _serve(make: Callable[[], SourceRig], pipe: Connection) -> None:
    rig = make()
    pipe.send((rig.settings, rig.watch))
    while True:
        for text in pipe.recv():
            rig.publish(text)
        pipe.send(None)


def run() -> Iterator[Figure]:
    """Costs by source, of texts, and of the stream."""
    log.configure("ERROR", style="text")
    yield from texts()
    for make in RIGS:
        if make is not BlueskyRig:
            yield cost(make)
    for rate in RATES:
        yield from stream(rate)


def texts() -> Iterator[Figure]:
    """HTML to text, and feeds, without any request."""
    bodies = [HTML.format(each.text) for each in sample()] * 10
    size = sum(map(len, bodies)) / len(bodies)
    took = _cpu(lambda: [html_to_text(body) for body in bodies])
    yield Figure(f"HTML to text, 1,000 of {size:.0f} characters", 1e6 * took / len(bodies), "ms")
    rig = FeedsRig()
    for number in range(ITEMS):
        rig.publish(bodies[number % len(bodies)])
    feed = rig.http.respond(_get("/1.xml"))
    rig.stop()
    took = _cpu(lambda: document.parse(_bytes(feed.text), "application/rss+xml", "https://example.org/"))
    entries = len(document.parse(_bytes(feed.text), "", "https://example.org/").entries)
    yield Figure("RSS entries through feedparser, 1,000", 1e6 * took / entries, "ms")


def cost(make: Callable[[], SourceRig]) -> Figure:
    """CPU of reading items that were published since the first reading."""
    count = FEW_ITEMS if make is HackerNewsRig else ITEMS
    chance = random.Random(5)
    rig = RigProcess(make)
    try:
        source, name = _opened(rig), rig.watch.source
        kind = next(iter(SOURCES[name].feeds))
        cursors = {place: _read(source, kind, place, None)[0] for place in rig.watch.places}
        rig.publish([chance.choice(sample()).text for _ in range(count)])
        items = 0

        def read() -> None:
            nonlocal items
            for place, cursor in cursors.items():
                items += _read(source, kind, place, cursor)[1]

        took = _cpu(read)
        source.close()
    finally:
        rig.stop()
    return Figure(f"{name}: CPU for 1,000 items ({items:,} read)", took / max(items, 1) * 1000, "s")


def _opened(rig: RigProcess) -> Source:
    environment = {f"OVERHEARD_{key}": value for key, value in rig.settings.items()}
    config = load(None, environment)
    opened: Source = resolve_name(SOURCES[rig.watch.source].factory)(
        config, ProcessMetrics(CollectorRegistry()), time.time
    )
    return opened


def _read(source: Source, kind: Any, place: str, cursor: str | None) -> tuple[str, int]:
    """Read to the end; return the cursor and the number of items."""
    position, items = None, 0
    while True:
        request = ReadRequest(kind=kind, places=(place,), cursor=cursor, position=position, since=time.time())
        page = source.read(request, UnlimitedTokens())
        items += len(page.items)
        position = page.position
        if position is None:
            cursor = page.cursor
            if not page.behind:
                return cursor, items


def stream(rate: float) -> Iterator[Figure]:
    """Bluesky, through `overheard run` on one core with 10,000 queries: how long until a post is stored."""
    chance = random.Random(7)
    fields = load_items(chance)
    rig = RigProcess(BlueskyRig)
    with tempfile.TemporaryDirectory() as folder, _farm(Path(folder), rig) as farm:
        _fill(farm, make_queries(fields, QUERIES, chance), chance)
        process = farm.start("run", "overheard.cli", "run")
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        farm.wait(lambda: "stream connected" in farm.log("run"), lambda: "not connected", 60)
        threading.Event().wait(2)
        published: dict[str, float] = {}
        before, began, number = _usage(process.pid), time.monotonic(), 0
        while (now := time.monotonic()) < began + STREAM_SECONDS:
            due = int((now - began) * rate) - number
            some = []
            for _ in range(due):
                number += 1
                body = fields[number % len(fields)]["body"][:280]
                if chance.random() < WORD_SHARE:
                    body = f"{WORD} p{number}x {body}"
                    published[f"p{number}x"] = time.time()
                some.append(body)
            rig.publish(some)
            threading.Event().wait(0.05)
        used = (_usage(process.pid) - before) / (time.monotonic() - began)
        farm.wait(lambda: len(_stored(farm)) >= len(published), lambda: "not all stored", 60)
        ages = sorted(at - published[marker] for marker, at in _stored(farm).items())
        resident = _resident(process.pid)
    rig.stop()
    of = f"Bluesky at {rate:g} posts/s, {QUERIES:,} queries"
    yield Figure(f"{of}: age when stored, p50", ages[len(ages) // 2], "s", 2.0, False)
    yield Figure(f"{of}: age when stored, p99", ages[int(len(ages) * 0.99)], "s", 10.0, False)
    yield Figure(f"{of}: CPU, of a core", 100 * used, "%", 100.0, False)
    yield Figure(f"{of}: memory of everything", resident, "MB", 200.0, False)


@contextmanager
def _farm(folder: Path, rig: RigProcess) -> Iterator[Farm]:
    farm = Farm(folder, bus="memory://", database=f"sqlite:///{folder}/o.db", fresh=True)
    farm.settings |= {"TICK__INTERVAL": "5", "FETCH__LEASE": "120", "LOG__LEVEL": "INFO", **rig.settings}
    with farm:
        farm.workspace(subreddits=(), watch=(rig.watch,), every="1d", url="null://", query=WORD)
        yield farm


def _fill(farm: Farm, texts: list[str], chance: random.Random) -> None:
    """Add workspaces with these queries, all of which watch the stream, too."""
    with farm.db.session(), farm.db.transaction():
        raw, now = farm.db.peewee, time.time()
        revision = queries.next_revision(farm.db)
        feed = Feed.select(Feed.id).where(Feed.source == "bluesky").scalar(raw)
        per = len(texts) // WORKSPACES
        for number in range(WORKSPACES):
            later = {"name": "w", "every": "1d", "created_at": now, "next_due_at": now + 86_400}
            workspace = Workspace.insert(slug=f"w{number}", **later).execute(raw)
            for kinds in ("post comment",):
                Watch.insert(workspace=workspace, feed=feed, kinds=kinds, created_at=now).execute(raw)
            Query.insert_many(
                [
                    {"workspace": workspace, "name": f"q{each}", "text": text, "revision": revision}
                    for each, text in enumerate(texts[number * per : (number + 1) * per])
                ]
            ).execute(raw)
            refreshes.sync_sources(farm.db, workspace)
            queries.watches_changed(farm.db, workspace, revision)
    farm.db.release()


def _stored(farm: Farm) -> dict[str, float]:
    with farm.db.session():
        rows = StoredItem.select(StoredItem.body, StoredItem.stored_at).where(StoredItem.body.startswith(WORD))
        found = {body.split()[1]: at for body, at in rows.tuples().execute(farm.db.peewee)}
        farm.db.release()
    return found


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _usage(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _get(target: str) -> SimulatedRequest:
    return SimulatedRequest("GET", target, {})


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


if __name__ == "__main__":
    print_table(run(), "What sources cost")
