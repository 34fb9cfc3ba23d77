"""``overheard run``: everything in one process, against real Reddit."""

from __future__ import annotations

import os
import sys

import click

from overheard import process
from overheard.embedded import Pipeline
from overheard.process import RunningProcess


@click.command(help="Run everything in one process: tick, ingress and all stages.")
@click.pass_context
def run(context: click.Context) -> None:
    """Embedded, or on RabbitMQ and PostgreSQL, as pipeline.toml says."""
    sys.exit(process.main("run", lambda: process.start(context.obj["config"], os.environ), _run))


def _run(running: RunningProcess) -> int:
    pipeline = Pipeline(running)
    running.stop_on_signals()
    running.ready_database()
    try:
        with running.exposed(0, pipeline.problems) as port:
            click.echo(f"Overheard runs; http://{running.config.metrics.host}:{port}/metrics. Stop it with Ctrl-C.")
            return pipeline.run()
    finally:
        pipeline.close()
