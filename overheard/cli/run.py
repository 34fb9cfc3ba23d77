"""``overheard run``: everything in one process."""

from __future__ import annotations

import os
import sys

import click

from overheard import process
from overheard.embedded import Pipeline
from overheard.process import RunningProcess


@click.command(help="Run everything in one process: tick, ingress and all stages. Ctrl-C stops it.")
@click.pass_context
def run(context: click.Context) -> None:
    """Run on the bus and database that the configuration names: embedded, or RabbitMQ and PostgreSQL."""
    sys.exit(process.main("run", lambda: process.start(context.obj["config"], os.environ), _run))


def _run(running: RunningProcess) -> int:
    pipeline = Pipeline(running)
    running.stop_on_signals()
    running.ready_database()
    try:
        with running.exposed(0, pipeline.problems) as port:
            page = f"http://{running.config.metrics.host}:{port}/metrics"
            click.echo(f"Overheard is running. Metrics: {page}. Press Ctrl-C to stop.")
            return pipeline.run()
    finally:
        pipeline.close()
