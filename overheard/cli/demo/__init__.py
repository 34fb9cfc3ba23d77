"""``overheard demo``: the whole pipeline on a Reddit of its own. No credentials, no internet, no server."""

from __future__ import annotations

import queue
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec
from pydantic import SecretStr

from overheard import config as configuration
from overheard import process
from overheard.channels.signing import new_secret
from overheard.cli.demo.receiver import receiving
from overheard.cli.demo.screen import Screen
from overheard.cli.durations import Duration
from overheard.config import Config
from overheard.embedded import Pipeline
from overheard.observability import log
from overheard.operations import workspaces
from overheard.process import RunningProcess
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator, Traffic
from overheard.workspaces import ChannelSpec, read

WORKSPACES = """
[[workspace]]
slug = "acme"
name = "Acme: our own product"
every = "2s"
subreddits = ["selfhosted", "postgres", "programming", "homelab", "sysadmin"]
  [[workspace.query]]
  name = "brand"
  text = '"acme db" OR acmedb'
  [[workspace.query]]
  name = "moving"
  text = '(migrate OR migration OR switching) NOT windows'

[[workspace]]
slug = "ops"
name = "What keeps operators awake"
every = "2s"
subreddits = ["sysadmin", "homelab", "linux", "selfhosted"]
kinds = ["posts", "comments"]
  [[workspace.query]]
  name = "trouble"
  text = 'outage OR broke OR "data loss" OR backup'

[[workspace]]
slug = "founders"
name = "Founders looking for tools"
every = "2s"
subreddits = ["startups", "python"]
  [[workspace.query]]
  name = "looking"
  text = 'recommend OR recommendations OR "looking for" OR alternative'
"""


@click.command(help="Watch mentions arrive, from a Reddit that the demo brings along. Nothing to set up.")
@click.option("--for", "seconds", type=Duration(), help="End after this long: 30s, 2m. Default: until Ctrl-C.")
@click.option("--rate", default=3.0, show_default=True, help="New posts and comments a second on the demo's Reddit.")
def demo(seconds: float | None, rate: float) -> None:
    """Start everything, show what arrives, and sum up at the end."""
    if not 0 < rate <= 200:
        raise click.BadParameter("more than 0 and at most 200", param_hint="--rate")
    sys.exit(process.exit_code(lambda: _demo(seconds, rate)))


def _demo(seconds: float | None, rate: float) -> int:
    began = time.monotonic()
    log.configure("ERROR", style="auto")
    arrived: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    secret = new_secret()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="overheard-demo-"))
        standin = stack.enter_context(RedditSimulator(keep=5000, requests_per_minute=300))
        traffic = Traffic(standin, rate_per_second=rate)
        hook = stack.enter_context(receiving(secret, arrived.put))
        running = RunningProcess(_configuration(Path(folder), standin.url))
        running.stop_on_signals()
        running.ready_database()
        _import(running, hook, secret)
        traffic.fill(40)
        pipeline = Pipeline(running)
        stack.callback(pipeline.close)
        port = stack.enter_context(running.exposed(0, pipeline.problems))
        screen = Screen(running.registry, began)
        screen.hello(standin.url, hook, f"http://127.0.0.1:{port}/metrics", WORKSPACES, rate)
        traffic.start()
        stack.callback(traffic.stop)
        worked = _work(pipeline, screen, arrived, None if seconds is None else began + seconds)
    screen.summary()
    return worked


def _work(pipeline: Pipeline, screen: Screen, arrived: queue.SimpleQueue[dict[str, Any]], until: float | None) -> int:
    """Run the pipeline beside the screen until the time is over, Ctrl-C, or a failure; returns the exit code."""
    ended: list[int] = []
    stop = pipeline.program.stop

    def run() -> None:
        try:
            ended.append(pipeline.run())
        finally:
            stop.set()

    thread = threading.Thread(target=run, name="pipeline")
    thread.start()
    with screen.live():
        while not stop.is_set() and (until is None or time.monotonic() < until):
            try:
                screen.show(arrived.get(timeout=0.2))
            except queue.Empty:
                screen.refresh()
    stop.set()
    thread.join()
    return ended[0] if ended else 1


def _configuration(folder: Path, reddit: str) -> Config:
    """The shipped defaults, quickened, with the demo's own Reddit, and its receiver on this machine allowed."""
    own = configuration.RedditSettings(
        client_id=CLIENT_ID,
        client_secret=SecretStr(CLIENT_SECRET),
        user_agent="linux:overheard-demo:0.1 (by /u/overheard)",
        reddit_url=reddit,
        oauth_url=reddit,
        requests_per_minute=280,
    )
    return Config(
        database=configuration.DatabaseSettings(url=SecretStr(f"sqlite:///{folder}/demo.db")),
        sources=configuration.SourcesSettings(reddit=own),
        metrics=configuration.MetricsSettings(port=_metrics_port()),
        tick=configuration.TickSettings(interval=0.5, jitter=0),
        fetch=configuration.FetchSettings(fresh_for=1, threads=2),
        notify=configuration.NotifySettings(allow_private=True, per_minute=6000, burst=100, threads=4),
    )


def _import(running: RunningProcess, url: str, secret: str) -> None:
    channel = ChannelSpec(name="screen", url=url, secret=secret)
    with running.db.session():
        for spec in read(WORKSPACES, "the demo"):
            workspaces.save(running, msgspec.structs.replace(spec, channel=(channel,)))


def _metrics_port() -> int:
    """The usual port where it is free, else any."""
    usual = configuration.MetricsSettings().port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return usual if probe.connect_ex(("127.0.0.1", usual)) != 0 else 0
