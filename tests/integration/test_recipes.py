"""ARCHITECTURE.md's recipes, followed step by step: nothing else is needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from overheard import config as configuration
from overheard.config import Config
from overheard.embedded import Pipeline
from overheard.messages import ItemsMatched
from overheard.process import RunningProcess
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET
from overheard.stages import STAGES, Stage
from tests.servers.farm import Farm, mentions_in

# The module of a stage: it makes its work of a context, and sends with what it is given.
ENRICH = """
import msgspec

from overheard.bus.actor import StageWork


def work(context):
    def enrich(message, permit):
        entries = tuple(
            msgspec.structs.replace(entry, item=msgspec.structs.replace(entry.item, title=entry.item.title + " (seen)"))
            for entry in message.items
        )
        context.send(msgspec.structs.replace(message, items=entries))

    return StageWork(enrich)
"""
# Its line in the table, between match and store.
LINE = Stage("enrich", ItemsMatched, (ItemsMatched,), "enrich_stage:work", 1, "enrich", 70)


@pytest.fixture(params=["memory", "rabbitmq"])
def bus(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("rabbit_url")) if request.param == "rabbitmq" else "memory://"


@contextmanager
def pipeline_running(farm: Farm, table: list[Stage]) -> Iterator[RunningProcess]:
    """Everything in this process, with these stages."""
    own = configuration.RedditSettings(
        client_id=CLIENT_ID,
        client_secret=SecretStr(CLIENT_SECRET),
        user_agent="linux:overheard-tests:1 (by /u/tests)",
        reddit_url=farm.simulator.url,
        oauth_url=farm.simulator.url,
        requests_per_minute=6000,
    )
    config = Config(
        bus=configuration.BusSettings(url=SecretStr(farm.bus)),
        database=configuration.DatabaseSettings(url=SecretStr(farm.database)),
        sources=configuration.SourcesSettings(reddit=own),
        tick=configuration.TickSettings(interval=0.2, jitter=0),
        fetch=configuration.FetchSettings(fresh_for=0.5),
        notify=configuration.NotifySettings(allow_private=True, per_minute=6000, burst=100),
    )
    running = RunningProcess(config)
    running.ready_database()
    pipeline = Pipeline(running, table)
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        thread.join()
        pipeline.close()


def test_a_stage_is_one_module_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bus: str, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "enrich_stage.py").write_text(ENRICH)
    monkeypatch.syspath_prepend(tmp_path)
    table: list[Stage] = []
    for stage in STAGES.values():
        table += [LINE, stage] if stage.name == "store" else [stage]
    with Farm(tmp_path, bus=bus, database=f"sqlite:///{tmp_path}/overheard.db") as farm:
        farm.workspace()
        with pipeline_running(farm, table) as running:
            wanted = farm.post(5)
            farm.wait_for_items(wanted)
            told: list[Any] = [mention for each in farm.sink.wait_for(1) for mention in mentions_in(each.json)]
            assert {mention["title"][-7:] for mention in told} == {" (seen)"}
            done = {"stage": "enrich", "outcome": "ok"}
            assert (running.registry.get_sample_value("overheard_stage_messages_total", done) or 0) >= 1
