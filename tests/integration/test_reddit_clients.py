"""Several clients of Reddit in the real processes: their budgets add up, and a revoked one stops nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from peewee import fn

from overheard.db import source_health
from overheard.db.models import DeadLetter
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.sources.reddit.names import client_key
from tests.servers.farm import Farm
from tests.servers.forks import shared_forks

CLIENTS = {"first-app": "first-secret", "second-app": "second-secret", CLIENT_ID: CLIENT_SECRET}
TABLES = "".join(
    f'[[sources.reddit.client]]\nclient_id = "{name}"\nclient_secret = "{secret}"\n'
    for name, secret in CLIENTS.items()
    if name != CLIENT_ID
)


def test_three_clients_give_three_budgets_and_none_is_exceeded(
    tmp_path: Path, rabbit_url: str, postgresql_url: str
) -> None:
    """Reddit allows each client 120 requests a minute; ten feeds, each requested alone, want about 300."""
    reddit = RedditSimulator(clients=CLIENTS, requests_per_minute=120, window_seconds=60)
    settings = {"REDDIT__REQUESTS_PER_MINUTE": "114", "REDDIT__BURST": "2", "FETCH__GROUP_SIZE": "1"}
    names = ("python", "linux", "rust", "golang", "erlang")
    (tmp_path / "pipeline.toml").write_text(TABLES)
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url, simulator=reddit, **settings) as farm:
        farm.workspace(subreddits=names)
        farm.producer("ingress")
        farm.producer("tick")
        farm.actors("fetch", name="fetch-1")
        farm.actors("fetch", name="fetch-2")
        farm.actors("match", "store", "notify", name="rest")
        posted: set[str] = set()
        for round_ in range(3):
            for name in names:
                posted |= farm.post(2, name, first=10 * round_)
            farm.wait_for_items(posted, seconds=60)
        farm.wait(lambda: sum(map(reddit.requests_of, CLIENTS)) > 90, seconds=120)
        used = [reddit.requests_of(name) for name in CLIENTS]
        assert min(used) > 0.2 * sum(used), "in turn"
        assert reddit.counts()["violations"] == 0
        assert 429 not in reddit.counts()["by_status"]
        assert not farm.scalar(DeadLetter.select(fn.count(DeadLetter.id)))


def test_a_revoked_client_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    reddit = RedditSimulator(clients=CLIENTS, requests_per_minute=6000)
    (tmp_path / "pipeline.toml").write_text(TABLES)
    with Farm(tmp_path, bus="memory://", database=f"sqlite:///{tmp_path}/o.db", simulator=reddit) as farm:
        farm.workspace("acme")
        wanted = farm.post(3)
        farm.start("run", "overheard.cli", "run")
        farm.wait_for_items(wanted)
        farm.wait(lambda: all(map(reddit.requests_of, CLIENTS)))
        reddit.revoke("second-app")
        farm.wait(lambda: state(farm, "second-app").revoked)
        wanted |= farm.post(3, first=10)
        farm.wait_for_items(wanted)
        assert state(farm).failing_since is None, "Reddit itself is read"
        assert state(farm, "first-app").failing_since is None
        (problem,) = (each for each in status(farm)["troubles"] if "client" in each["what"])
        assert problem["what"].startswith("client 2 of 3 of Reddit has been refused for")
        assert not problem["severe"]
        output = "".join(path.read_text() for path in tmp_path.glob("*.log"))
        assert not any(word in output for word in ("second-app", "second-secret"))
        for name in CLIENTS:
            if name != "second-app":
                reddit.revoke(name)
        farm.wait(lambda: state(farm).revoked)
        assert any("revoked this app" in each["what"] for each in status(farm)["troubles"])
        assert not any("client" in each["what"] for each in status(farm)["troubles"]), "one problem, not four"


def state(farm: Farm, client: str | None = None) -> source_health.SourceState:
    with farm.db.session():
        found = source_health.state(farm.db, "reddit" if client is None else client_key(client))
    farm.db.release()
    return found


def status(farm: Farm) -> dict[str, Any]:
    shown = shared_forks().run("overheard.cli", "status", "--format", "json", env=farm.environment, cwd=farm.folder)
    found: dict[str, Any] = json.loads(shown.stdout)
    return found
