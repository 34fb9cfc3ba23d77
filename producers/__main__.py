"""``python -m producers tick`` and ``python -m producers ingress``."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from overheard import process
from overheard.bus.broker import Broker, open_broker
from overheard.bus.public_exchange import RabbitEvents
from overheard.bus.sender import Sender
from overheard.errors import ConfigError
from overheard.process import RunningProcess
from overheard.programs import PROGRAMS
from overheard.stages import STAGES
from producers import tick
from producers.wiring import consumer_of, ingress_of, tick_problems, ticker_of

PRODUCERS = ("tick", "ingress")


@click.command(help="Run the PRODUCER until told to stop (SIGTERM).")
@click.argument("producer", type=click.Choice(PRODUCERS))
@click.option("--config", type=click.Path(path_type=Path), help="pipeline.toml (default: ./pipeline.toml).")
@click.option(
    "--process", "number", default=0, show_default=True, help="Number of this process: moves the metrics port."
)
def main(producer: str, config: Path | None, number: int) -> None:
    run = partial(_run, producer=producer, number=number)
    sys.exit(process.main(producer, lambda: process.start(config, os.environ), run))


def _run(running: RunningProcess, producer: str, number: int) -> int:
    config = running.config
    if config.bus.embedded:
        raise ConfigError(
            [
                "[bus] url is memory://, which lives inside one process: start everything with `overheard run`, "
                "or set it to amqp://user:password@host:5672/vhost to run the producers as processes of their own"
            ]
        )
    # Before the wait for the database: a SIGTERM meanwhile has to end the process in order, too.
    running.stop_on_signals()
    offset = PROGRAMS[producer].port + number
    broker = open_broker(
        config.bus.address,
        stages=STAGES.values(),
        metrics=running.metrics,
        record_dead=running.record_dead,
        name=producer,
    )
    try:
        (_tick if producer == "tick" else _ingress)(running, broker, offset)
    finally:
        broker.close()
        running.db.release()
    return 0


def _tick(running: RunningProcess, broker: Broker, offset: int) -> None:
    with closing(RabbitEvents(running.config.bus.address, name="tick")) as events:
        ticker = ticker_of(running, events, broker)
        with running.exposed(offset, lambda: tick_problems(ticker, running.clock())):
            if running.await_database():
                tick.run(ticker, running.stop)


def _ingress(running: RunningProcess, broker: Broker, offset: int) -> None:
    consumer = consumer_of(running, ingress_of(running, Sender(broker)), "ingress")
    with running.exposed(offset, consumer.problems):
        if running.await_database():
            consumer.run(running.stop)


if __name__ == "__main__":
    main()
