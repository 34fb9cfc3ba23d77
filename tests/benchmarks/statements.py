"""Count the SQL statements of one trigger, by stage: from the public event to the webhook, on memory:// and SQLite.

Run: python -m tests.benchmarks.statements   (with --list also the statements themselves, in their order)

One workspace watches one place for posts; one new post matches. What the tick does beside it is not counted.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import structlog
from pydantic import SecretStr

from overheard import config as configuration
from overheard.config import Config
from overheard.db.models import Delivery, Feed
from overheard.embedded import Pipeline
from overheard.observability import log as logs
from overheard.process import RunningProcess
from tests.servers.farm import Farm
from tests.servers.waiting import wait_for


def settings(farm: Farm) -> Config:
    """The farm's own, for a pipeline in this process; its tick comes once, at the start."""
    given = farm.environment
    own = configuration.RedditSettings(
        client_id=given["OVERHEARD_REDDIT__CLIENT_ID"],
        client_secret=SecretStr(given["OVERHEARD_REDDIT__CLIENT_SECRET"]),
        user_agent=given["OVERHEARD_REDDIT__USER_AGENT"],
        reddit_url=farm.simulator.url,
        oauth_url=farm.simulator.url,
        requests_per_minute=6000,
    )
    return Config(
        database=configuration.DatabaseSettings(url=SecretStr(farm.database)),
        sources=configuration.SourcesSettings(reddit=own),
        tick=configuration.TickSettings(interval=3600, jitter=0),
        notify=configuration.NotifySettings(allow_private=True, per_minute=6000, burst=100),
    )


def measure(farm: Farm) -> list[tuple[str, str]]:
    """(stage, statement) of each statement that the second trigger of a workspace costs."""
    farm.workspace(every="1d", kinds=("posts",))
    running = RunningProcess(settings(farm))
    running.ready_database()
    pipeline = Pipeline(running)
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    seen: list[tuple[str, str]] = []
    execute = running.db.peewee.execute_sql

    def counted(sql: str, *given: Any, **more: Any) -> Any:
        if threading.current_thread().name != "tick":
            seen.append((str(structlog.contextvars.get_contextvars().get("stage", "ingress")), sql))
        return execute(sql, *given, **more)

    try:
        unread = Feed.select().where(Feed.fresh_at == 0)
        wait_for(lambda: not _exists(farm, unread), "the first reading", 20)
        quiet(pipeline)
        farm.post(1)
        running.db.peewee.execute_sql = counted  # type: ignore[method-assign]
        pipeline.events.publish("workspace.due", {"workspace": "acme", "reason": "trigger"})
        farm.sink.wait_for(1, timeout=20)
        unsent = Delivery.select().where(Delivery.state != "sent")
        wait_for(lambda: not _exists(farm, unsent), "the delivery", 20)
        quiet(pipeline)
    finally:
        running.stop.set()
        thread.join()
        pipeline.close()
    return seen


def _exists(farm: Farm, query: Any) -> bool:
    with farm.db.session():
        return bool(query.exists(farm.db.peewee))


def quiet(pipeline: Pipeline) -> None:
    """Wait until no message is left on the bus."""
    broker: Any = pipeline.broker
    wait_for(lambda: not broker.unfinished(broker.queues), "an empty bus", 20)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.statements")
    parser.add_argument("--list", action="store_true", help="print each statement")
    given = parser.parse_args()
    logs.configure("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        farm = Farm(Path(folder), bus="memory://", database=f"sqlite:///{folder}/overheard.db")
        with farm:
            seen = measure(farm)
    if given.list:
        for stage, sql in seen:
            print(f"{stage:<8} {re.sub(r'SELECT .*? FROM', 'SELECT … FROM', sql)[:180]}")
    for stage, count in Counter(stage for stage, _ in seen).items():
        print(f"{stage:<8} {count}")
    print(f"in all   {len(seen)}")


if __name__ == "__main__":
    main()
