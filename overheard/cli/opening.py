"""What most commands begin with: the configuration, and a session of a database that is up to date."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from overheard import log
from overheard.config import Config, load
from overheard.program import Program


def configuration(context: click.Context) -> Config:
    """The configuration that ``--config`` names. Raises ConfigError."""
    path: Path | None = (context.obj or {}).get("config")
    config = load(path, os.environ)
    log.configure(config.log.level, style=config.log.format)
    if config.log.level != "DEBUG":
        # Commands say themselves what is wrong, in better words than pika's.
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.CRITICAL)
    return config


@contextmanager
def opened(context: click.Context) -> Iterator[Program]:
    """A program in a session of its database, as long as its statements may take. Raises ConfigError, Unavailable."""
    program = Program(configuration(context))
    try:
        program.ready_database()
        with program.db.session(), program.db.unhurried():
            yield program
    finally:
        program.db.release()
