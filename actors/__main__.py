"""``python -m actors fetch match …``: one process that runs the named stages."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click

from actors.wiring import Wiring, permits, threads
from overheard import process
from overheard.bus import worker
from overheard.bus.actor import register
from overheard.bus.broker import open_broker
from overheard.bus.health import WorkerHealth
from overheard.bus.sender import Sender
from overheard.errors import ConfigError
from overheard.process import RunningProcess
from overheard.stages import STAGES, Stage


@click.command(help="Work on the named STAGES until told to stop (SIGTERM).")
@click.argument("stages", nargs=-1, required=True, type=click.Choice(list(STAGES)))
@click.option("--config", type=click.Path(path_type=Path), help="pipeline.toml (default: ./pipeline.toml).")
@click.option(
    "--process", "number", default=0, show_default=True, help="Number of this process: moves the metrics port."
)
def main(stages: tuple[str, ...], config: Path | None, number: int) -> None:
    names = list(dict.fromkeys(stages))
    run = partial(_run, names=names, number=number)
    sys.exit(process.main("+".join(names), lambda: process.start(config, os.environ), run))


def _run(running: RunningProcess, names: list[str], number: int) -> int:
    """Serve /healthz, wait for the database, then work until stopped."""
    config = running.config
    if config.bus.embedded:
        raise ConfigError(
            [
                "[bus] url is memory://, which lives inside one process: start everything with `overheard run`, "
                "or set it to amqp://user:password@host:5672/vhost to run the stages as processes of their own"
            ]
        )
    running.stop_on_signals()
    chosen = [STAGES[name] for name in names]
    health = WorkerHealth(running.metrics)
    with running.exposed(chosen[0].port + number, health.problems):
        return _work(running, chosen, health, number) if running.await_database() else 0


def _work(running: RunningProcess, chosen: list[Stage], health: WorkerHealth, number: int) -> int:
    names = [stage.name for stage in chosen]
    broker = open_broker(
        running.config.bus.address,
        stages=chosen,
        metrics=running.metrics,
        record_dead=running.record_dead,
        on_thread_end=running.db.release,
        permits=permits(running),
        name=f"{'+'.join(names)} {number}",
        clock=running.clock,
    )
    wiring = Wiring(running, Sender(broker))
    try:
        for stage in chosen:
            register(broker, stage, wiring.work(stage))
        code = worker.run(
            broker,
            chosen,
            stop=running.stop,
            health=health,
            threads=threads(running.config, chosen),
            unavailable_reason=running.unavailable_reason,
        )
        if code:
            running.gave_up("+".join(names))
        return code
    finally:
        wiring.close()
        broker.close()
        running.db.release()


if __name__ == "__main__":
    main()
