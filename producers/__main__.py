"""``python -m producers tick``, ``python -m producers ingress`` and ``python -m producers stream SOURCE``."""

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
from overheard.sources.registry import streamed
from overheard.stages import STAGES
from producers import stream, tick
from producers.wiring import consumer_of, ingress_of, stream_of, tick_problems, ticker_of

PRODUCERS = ("tick", "ingress", "stream")


@click.command(help="Run the PRODUCER until told to stop (SIGTERM). stream reads one SOURCE.")
@click.argument("producer", type=click.Choice(PRODUCERS))
@click.argument("source", required=False, type=click.Choice(streamed()))
@click.option("--config", type=click.Path(path_type=Path), help="pipeline.toml (default: ./pipeline.toml).")
@click.option(
    "--process", "number", default=0, show_default=True, help="Number of this process: moves the metrics port."
)
def main(producer: str, source: str | None, config: Path | None, number: int) -> None:
    if (source is None) == (producer == "stream"):
        raise click.UsageError("stream takes a SOURCE, and the other producers take none")
    run = partial(_run, producer=producer, source=source or "", number=number)
    sys.exit(process.main(producer, lambda: process.start(config, os.environ), run))


def _run(running: RunningProcess, producer: str, source: str, number: int) -> int:
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
        if producer == "tick":
            _tick(running, broker, offset)
        elif producer == "ingress":
            _ingress(running, broker, offset)
        else:
            _stream(running, broker, offset, source)
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


def _stream(running: RunningProcess, broker: Broker, offset: int, source: str) -> None:
    producer = stream_of(running, Sender(broker), source)
    with running.exposed(offset, producer.problems):
        if running.await_database():
            stream.run(producer, running.stop)


if __name__ == "__main__":
    main()
