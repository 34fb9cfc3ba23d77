"""``overheard run``: everything in one process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

import click

from overheard import process
from overheard.embedded import Pipeline
from overheard.process import RunningProcess


@click.command(help="Run everything in one process: tick, ingress and all stages. Ctrl-C stops it.")
@click.option("--verbose", "-v", is_flag=True, help="Show the logs, too, on a terminal. Elsewhere they are the output.")
@click.option(
    "--log-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append the logs to this file instead, one JSON object per line.",
)
@click.pass_context
def run(context: click.Context, verbose: bool, log_file: Path | None) -> None:
    """Run on the bus and database that the configuration names: embedded, or RabbitMQ and PostgreSQL.

    On a terminal it shows mentions as they are stored; elsewhere, such as under a supervisor, it only logs.
    """
    on_terminal = sys.stdout.isatty()
    logs: TextIO = sys.stderr if log_file is None else log_file.open("a", encoding="utf-8", errors="backslashreplace")
    # Log lines between the mentions would hide them.
    quiet = on_terminal and logs.isatty() and not verbose
    sys.exit(
        process.main(
            "run",
            lambda: process.start(context.obj["config"], os.environ, stream=logs, level="ERROR" if quiet else None),
            lambda running: _run(running, on_terminal, logs_shown=logs.isatty() and not quiet),
        )
    )


def _run(running: RunningProcess, on_terminal: bool, *, logs_shown: bool) -> int:
    pipeline = Pipeline(running)
    running.stop_on_signals()
    running.ready_database()
    try:
        with running.exposed(0, pipeline.problems) as port:
            page = f"http://{running.config.metrics.host}:{port}/metrics"
            click.echo(f"Overheard is running. Metrics: {page}. Press Ctrl-C to stop.")
            if not on_terminal:
                return pipeline.run()
            # Imported here: it needs rich, which a daemon does not.
            from overheard.cli.run_screen import show_mentions

            return show_mentions(pipeline, logs_shown=logs_shown)
    finally:
        pipeline.close()
