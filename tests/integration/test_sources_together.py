"""Several sources in one pipeline: matches and deletions never cross from one to another.

The pipeline is that of ``overheard run``, in this process, on the embedded bus and SQLite.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from overheard.config.loading import load
from overheard.db import workspace_specs
from overheard.db.models import Mention, StoredItem, Workspace
from overheard.embedded import Pipeline
from overheard.process import RunningProcess
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.sources.registry import SOURCES
from overheard.sources.source_type import SourceType
from overheard.workspaces import ChannelSpec, QuerySpec, WatchSpec, WorkspaceSpec, validated
from tests.servers.waiting import wait_for

CONFIG = """
[database]
url = "sqlite:///{folder}/overheard.db"
[sources.reddit]
client_id = "{client}"
client_secret = "{secret}"
user_agent = "linux:overheard-tests:1 (by /u/tests)"
reddit_url = "{reddit}"
oauth_url = "{reddit}"
requests_per_minute = 6000
[sources.replay]
path = "{folder}/items.jsonl"
speed = 0
[tick]
interval = 0.1
jitter = 0
[fetch]
fresh_for = 0.2
[metrics]
port = 0
"""

DUMMY = """
from overheard.items import Item
from overheard.sources import Page, SingleFeedSource


class DummySource(SingleFeedSource):
    name = "dummy"

    def read(self, request, budget):
        (place,) = request.places
        item = Item(
            source="dummy",
            id="1",
            kind="post",
            place=place,
            author="ann",
            title="A needle",
            body="in a haystack",
            permalink="https://example.org/1",
            thread="1",
            created_at=2_000_000_000,
        )
        return Page(items=(item,), cursor="read")


def open_source(config, metrics, clock):
    return DummySource()
"""


class WatchedSources:
    """A running pipeline and its workspaces."""

    def __init__(self, running: RunningProcess, file: Path) -> None:
        self.db = running.db
        self.pipeline = Pipeline(running)
        self._file = file

    def watch(self, slug: str, **places: str) -> None:
        """Save a workspace that searches for needles in one place of each of the named sources."""
        spec = WorkspaceSpec(
            slug=slug,
            every="2s",
            watch=tuple(WatchSpec(source, (place,)) for source, place in places.items()),
            query=(QuerySpec("q", "needle"),),
            channel=(ChannelSpec("nowhere", "null://", max_per_hour=0),),
        )
        now = time.time()
        with self.db.session():
            workspace_specs.save(
                self.db, validated(spec), now, following=lambda text, zone: now, secret=lambda channel: None
            )

    def write(self, **line: Any) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps({"created_at": time.time(), "permalink": "https://example.org/"} | line) + "\n")

    def mentions(self) -> set[tuple[str, str, str]]:
        """(workspace, source, id) of each mention."""
        rows = (
            Mention.select(Workspace.slug, StoredItem.source, StoredItem.ref)
            .join(Workspace, on=(Mention.workspace == Workspace.id))
            .join(StoredItem, on=(Mention.item == StoredItem.id))
        )
        with self.db.session():
            return set(rows.tuples().execute(self.db.peewee))

    def wait_for(self, *wanted: tuple[str, str, str]) -> None:
        try:
            wait_for(lambda: self.mentions() == set(wanted), "the mentions")
        except TimeoutError:
            assert self.mentions() == set(wanted)


@pytest.fixture
def simulator() -> Iterator[RedditSimulator]:
    with RedditSimulator(requests_per_minute=6000) as made:
        yield made


@pytest.fixture
def start(tmp_path: Path, simulator: RedditSimulator) -> Callable[..., Any]:
    @contextmanager
    def started(client: str = CLIENT_ID) -> Iterator[WatchedSources]:
        text = CONFIG.format(folder=tmp_path, client=client, secret=CLIENT_SECRET, reddit=simulator.url)
        (tmp_path / "pipeline.toml").write_text(text)
        (tmp_path / "items.jsonl").touch()
        running = RunningProcess(load(tmp_path / "pipeline.toml", {}))
        running.ready_database()
        watched = WatchedSources(running, tmp_path / "items.jsonl")
        thread = threading.Thread(target=watched.pipeline.run)
        thread.start()
        try:
            yield watched
        finally:
            running.stop.set()
            thread.join()
            watched.pipeline.close()

    return started


def test_matches_and_deletions_never_cross_sources(start: Callable[..., Any], simulator: RedditSimulator) -> None:
    """Both sources have a place of the same name and an item of the same id; one is watched entirely as well."""
    simulator.set_subreddit("python", "public")
    with start() as watched:
        watched.watch("of-reddit", reddit="python")
        watched.watch("of-replay", replay="python")
        watched.watch("of-both", reddit="python", replay="python")
        watched.watch("of-all-replay", replay="all")
        twin, other = simulator.add_post("Python", "a needle"), simulator.add_post("Python", "another needle")
        elsewhere = simulator.add_post("linux", "a needle")
        for item, place in ((twin, "Python"), ("p1", "python"), ("p2", "linux")):
            watched.write(id=item, kind="post", place=place, title="a needle")
        of_reddit = [(slug, "reddit", item) for slug in ("of-reddit", "of-both") for item in (twin, other)]
        of_replay = [(slug, "replay", item) for slug in ("of-replay", "of-both") for item in (twin, "p1")]
        of_all = [("of-all-replay", "replay", item) for item in (twin, "p1", "p2")]
        watched.wait_for(*of_reddit, *of_replay, *of_all)
        assert elsewhere not in {item for _, _, item in watched.mentions()}

        watched.write(gone=twin)
        left = [each for each in (*of_replay, *of_all) if each[2] != twin]
        watched.wait_for(*of_reddit, *left)
        watched.write(id="p1", kind="post", place="python", title="a needle")  # published again: no second mention

        simulator.delete(other)
        watched.pipeline.events.publish("item.recheck", {"item": other})
        watched.wait_for(*[each for each in of_reddit if each[2] != other], *left)


def test_without_a_client_of_reddit_everything_else_runs(start: Callable[..., Any], simulator: RedditSimulator) -> None:
    with start(client="") as watched:
        watched.watch("acme", reddit="python", replay="python")
        watched.write(id="p1", kind="post", place="python", title="a needle")
        watched.wait_for(("acme", "replay", "p1"))
    assert simulator.counts()["total"] == 0


def test_a_source_is_a_module_and_an_entry_of_the_registry(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Follow the recipe in ARCHITECTURE.md."""
    (tmp_path / "dummy_source.py").write_text(DUMMY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(
        SOURCES, "dummy", SourceType(name="dummy", feeds=("items",), factory="dummy_source:open_source")
    )
    try:
        with start() as watched:
            watched.watch("acme", dummy="somewhere")
            watched.watch("bolt", reddit="somewhere", replay="somewhere")
            watched.wait_for(("acme", "dummy", "1"))
    finally:
        sys.modules.pop("dummy_source", None)
