"""``overheard demo``: the whole pipeline on a simulated Reddit, without credentials, internet access or servers."""

from __future__ import annotations

import queue
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from pydantic import SecretStr

from overheard import config as configuration
from overheard import process
from overheard.channels.signing import new_secret
from overheard.cli.demo.receiver import webhook_receiver
from overheard.cli.demo.screen import DemoScreen
from overheard.cli.durations import DurationParam
from overheard.cli.live import run_live
from overheard.config import Config
from overheard.decoding import converter
from overheard.embedded import Pipeline
from overheard.notices import PublicMention
from overheard.observability import log
from overheard.operations import workspaces
from overheard.process import RunningProcess
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator, Traffic
from overheard.workspaces import ChannelSpec, WorkspaceSpec, read

_to_mention = converter(PublicMention)
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


@click.command(help="Try Overheard on a simulated Reddit, without any setup.")
@click.option("--for", "seconds", type=DurationParam(), help="How long to run: 30s, 2m.  [default: until Ctrl-C]")
@click.option(
    "--rate", default=3.0, show_default=True, help="New posts and comments per second on the simulated Reddit."
)
def demo(seconds: float | None, rate: float) -> None:
    """Start everything, print mentions as they arrive, and a summary at the end."""
    if not 0 < rate <= 200:
        raise click.BadParameter("must be above 0, and at most 200", param_hint="--rate")
    sys.exit(process.exit_code(lambda: _demo(seconds, rate)))


def _demo(seconds: float | None, rate: float) -> int:
    started = time.monotonic()
    # Log lines between the mentions would hide them.
    log.configure("ERROR", style="auto")
    arrived: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    secret = new_secret()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="overheard-demo-"))
        simulator = stack.enter_context(RedditSimulator(keep=5000, requests_per_minute=300))
        traffic = Traffic(simulator, rate_per_second=rate)
        hook = stack.enter_context(webhook_receiver(secret, arrived.put))
        running = RunningProcess(_configuration(Path(folder), simulator.url))
        running.stop_on_signals()
        running.ready_database()
        specs = read(WORKSPACES, "the demo")
        _save(running, specs, hook, secret)
        traffic.fill(40)
        pipeline = Pipeline(running)
        stack.callback(pipeline.close)
        port = stack.enter_context(running.exposed(0, pipeline.problems))
        screen = DemoScreen(running.registry, started)
        screen.print_header(simulator.url, hook, f"http://127.0.0.1:{port}/metrics", specs, rate)
        # After the header, so that no mention is printed above it.
        traffic.start()
        stack.callback(traffic.stop)
        until = None if seconds is None else started + seconds
        exit_code = run_live(pipeline, screen, partial(_show_next, screen, arrived), until)
    screen.summary()
    return exit_code


def _show_next(screen: DemoScreen, arrived: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Show the next event that the webhook receives within a moment."""
    # With a timeout, so that the counters move and Ctrl-C is noticed while no mention arrives.
    with suppress(queue.Empty):
        screen.show(_to_mention(arrived.get(timeout=0.2)["data"]))


def _configuration(folder: Path, reddit: str) -> Config:
    """Return the default configuration with the simulated Reddit and faster schedules.

    Faster, so that the first mention appears within seconds: a tick twice a second, polls that are stale after one
    second, deliveries without a noticeable rate limit. The receiver is on this machine, hence ``allow_private``.
    """
    reddit_settings = configuration.RedditSettings(
        client_id=CLIENT_ID,
        client_secret=SecretStr(CLIENT_SECRET),
        user_agent="linux:overheard-demo:0.1 (by /u/overheard)",
        reddit_url=reddit,
        oauth_url=reddit,
        requests_per_minute=280,  # below the simulator's limit of 300
    )
    return Config(
        database=configuration.DatabaseSettings(url=SecretStr(f"sqlite:///{folder}/demo.db")),
        sources=configuration.SourcesSettings(reddit=reddit_settings),
        metrics=configuration.MetricsSettings(port=0),  # any free one: the default may be taken, or wanted soon
        tick=configuration.TickSettings(interval=0.5, jitter=0),
        fetch=configuration.FetchSettings(fresh_for=1, threads=2),
        notify=configuration.NotifySettings(allow_private=True, per_minute=6000, burst=100, threads=4),
    )


def _save(running: RunningProcess, specs: Iterable[WorkspaceSpec], url: str, secret: str) -> None:
    channel = ChannelSpec(name="screen", url=url, secret=secret, max_per_hour=0)  # the screen shows each mention
    with running.db.session():
        for spec in specs:
            workspaces.save(running, msgspec.structs.replace(spec, channel=(channel,)))
