"""``python -m overheard.supervision``: the watcher, which supervisord starts as an event listener."""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from overheard import log
from overheard.clock import system_clock
from overheard.config import Config
from overheard.config.loading import load
from overheard.errors import ConfigError, InvalidInput, Unavailable
from overheard.exposition import Exposition
from overheard.metrics import ProcessMetrics
from overheard.stages import PORT_OFFSETS
from overheard.supervision.listener import Listener
from overheard.supervision.rpc import Supervisord
from overheard.supervision.targets import targets
from overheard.supervision.watch import Watch

NOT_ALONE = (
    "the watcher has to be started by supervisord, as an event listener: see [eventlistener:watcher] in "
    "deploy/supervisord/supervisord.conf"
)
BACKUP_MARK = Path("last-backup")  # in supervisord's folder; deploy/lib/archive.sh leaves it there
PORT_ZERO = "[metrics] port is 0, any free port, where Prometheus cannot find a process: set it to 9400 or another"

logger = log.get_logger(__name__)


@click.command(help="Watch the processes under supervisord until told to stop (SIGTERM).")
@click.option("--config", type=click.Path(path_type=Path), help="pipeline.toml (default: ./pipeline.toml).")
def main(config: Path | None) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        run(config, os.environ)
    except ConfigError as error:
        for problem in error.problems:
            print(f"overheard: {problem}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except (Unavailable, InvalidInput) as error:
        logger.error("the watcher ends, to be started anew", reason=str(error))
        sys.exit(1)


def run(path: Path | None, environ: Mapping[str, str]) -> None:
    """Serve what is known of the processes, and learn more, until supervisord is gone (Unavailable)."""
    config, faults = configuration(path, environ)
    url = environ.get("SUPERVISOR_SERVER_URL")
    if not url:
        raise ConfigError([NOT_ALONE])
    registry = CollectorRegistry()
    control = f"supervisorctl -s {url}"
    metrics = ProcessMetrics(registry)
    metrics.disk_free.set_function(disk_free)
    metrics.backup_last_success.set_function(last_backup)
    watch = Watch(ask=Supervisord(url).processes, metrics=metrics, clock=system_clock, control=control)
    server = exposition(config, registry, watch, faults)
    watch.sync()
    server.start(config.metrics.host, config.metrics.port + PORT_OFFSETS["watcher"])
    try:
        listen(Listener(sys.stdin.fileno(), own_stdout()), watch)
    finally:
        server.stop()


def disk_free() -> float:
    """Where we are: supervisord's folder. Counted as for an ordinary user."""
    found = os.statvfs(".")
    return found.f_bavail / found.f_blocks if found.f_blocks else 1.0


def last_backup() -> float:
    """When the last backup was made, by the mark it has left (Unix time); NaN where there is no mark."""
    try:
        return BACKUP_MARK.stat().st_mtime
    except OSError:
        return math.nan


def configuration(path: Path | None, environ: Mapping[str, str]) -> tuple[Config, list[str]]:
    """What the watcher needs, and what is wrong with it.

    A broken configuration stops all others, so the watcher has to stand it: it looks where the defaults are.
    """
    faults: list[str] = []
    try:
        config = load(path, environ, only=("metrics", "log"))
    except ConfigError as error:
        config, faults = Config(), error.problems
    log.configure(config.log.level, style=config.log.format)
    for fault in faults:
        logger.error("the configuration cannot be read: the watcher uses the defaults", reason=fault)
    if not config.metrics.port:
        raise ConfigError([PORT_ZERO])
    return config, faults


def exposition(config: Config, registry: CollectorRegistry, watch: Watch, faults: list[str]) -> Exposition:
    """/metrics, /healthz and /targets."""
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)

    def page() -> tuple[int, str, bytes]:
        known = watch.processes
        if known is None:  # Prometheus keeps the list it had
            return 503, "text/plain; charset=utf-8", b"supervisord has not answered yet\n"
        found = targets(known, config.metrics.host, config.metrics.port)
        return 200, "application/json", msgspec.json.encode(found)

    return Exposition(registry, lambda: [*faults, *watch.problems()], {"/targets": page})


def listen(listener: Listener, watch: Watch) -> None:
    """Handle events for ever. Raises Unavailable, InvalidInput."""
    while True:
        event = listener.next()
        watch.handle(event)
        listener.done()


def own_stdout() -> int:
    """The pipe to supervisord, for the protocol alone: whatever else is printed goes to the log."""
    pipe = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


if __name__ == "__main__":
    main()
