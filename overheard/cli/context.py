"""What most commands begin with: the configuration, and a session of a database that is up to date."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

from overheard.cli.group import WrongUsage
from overheard.config import Config
from overheard.config.loading import load
from overheard.errors import InvalidInput
from overheard.input_files import open_for_reading
from overheard.observability import log
from overheard.process import RunningProcess


def configuration(context: click.Context) -> Config:
    """The configuration that ``--config`` names. Raises ConfigError."""
    config = load(context.obj["config"], os.environ)
    log.configure(config.log.level, style=config.log.format)
    if config.log.level != "DEBUG":
        # Commands say themselves what is wrong, in better words than pika's.
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.CRITICAL)
    return config


@contextmanager
def named_input(path: str) -> Iterator[BinaryIO]:
    """Open the file that somebody named; ``-`` is stdin. Raises OSError, WrongUsage."""
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open_for_reading(path)
    except InvalidInput as error:
        raise WrongUsage(str(error)) from None
    with file:
        yield file


@contextmanager
def open_app(context: click.Context, *, create: bool = False) -> Iterator[RunningProcess]:
    """A program in a session of its database, as long as its statements may take. Raises ConfigError, Unavailable.

    ``create``: make a SQLite database where there is none. One that is behind is for `overheard migrate`.
    """
    program = RunningProcess(configuration(context))
    try:
        program.require_database(create=create)
        with program.db.session(), program.db.without_timeouts():
            yield program
    finally:
        program.db.release()
