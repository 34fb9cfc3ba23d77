"""``python -m producers tick`` and ``python -m producers ingress``."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click

from overheard import program
from overheard.bus.connect import open_broker
from overheard.bus.door import Events
from overheard.bus.ingress import IngressConsumer
from overheard.bus.sender import Sender
from overheard.errors import ConfigError
from overheard.program import Program
from overheard.programs import PROGRAMS
from overheard.stages import STAGES
from producers import tick
from producers.demands import Demands
from producers.ingress import Ingress
from producers.wiring import late, ticker_of

PRODUCERS = ("tick", "ingress")


@click.command(help="Run the PRODUCER until told to stop (SIGTERM).")
@click.argument("producer", type=click.Choice(PRODUCERS))
@click.option("--config", type=click.Path(path_type=Path), help="pipeline.toml (default: ./pipeline.toml).")
@click.option("--process", default=0, show_default=True, help="Number of this process: moves the metrics port.")
def main(producer: str, config: Path | None, process: int) -> None:
    run = partial(_run, producer=producer, process=process)
    sys.exit(program.main(producer, lambda: program.start(config, os.environ), run))


def _run(running: Program, producer: str, process: int) -> int:
    config = running.config
    if config.bus.embedded:
        raise ConfigError(
            [
                "[bus] url is memory://, which lives inside one process: start everything with `overheard run`, "
                "or set it to amqp://user:password@host:5672/vhost to run the producers as processes of their own"
            ]
        )
    running.stop_on_signals()
    offset = PROGRAMS[producer].port + process
    return _tick(running, offset) if producer == "tick" else _ingress(running, offset)


def _tick(running: Program, offset: int) -> int:
    url = running.config.bus.address
    broker = open_broker(
        url, stages=STAGES.values(), metrics=running.metrics, record_dead=running.record_dead, name="overheard tick"
    )
    events = Events(url, name="overheard tick")
    ticker = ticker_of(running, events, broker)
    try:
        with running.exposed(offset, lambda: late(ticker, running.clock())):
            if running.await_database():
                tick.run(ticker, running.stop)
    finally:
        events.close()
        broker.close()
        running.db.release()
    return 0


def _ingress(running: Program, offset: int) -> int:
    url = running.config.bus.address
    broker = open_broker(
        url, stages=STAGES.values(), metrics=running.metrics, record_dead=running.record_dead, name="overheard ingress"
    )
    ingress = Ingress(
        db=running.db,
        sender=Sender(broker),
        clock=running.clock,
        fresh_for=running.config.fetch.fresh_for,
        demands=Demands(),
        triggers_per_hour=running.config.limits.triggers_per_hour,
    )
    consumer = IngressConsumer(
        url,
        ingress.handle,
        running.record_refused,
        metrics=running.metrics,
        name="overheard ingress",
        release=ingress.release,
        unable=running.unable,
    )
    try:
        with running.exposed(offset, consumer.problems):
            if running.await_database():
                consumer.run(running.stop)
    finally:
        broker.close()
        running.db.release()
    return 0


if __name__ == "__main__":
    main()
