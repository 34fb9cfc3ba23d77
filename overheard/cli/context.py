"""Open what most commands need: the configuration, and a session of an up-to-date database."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

from overheard.cli.root import WrongUsage
from overheard.config import Config
from overheard.config.loading import load
from overheard.errors import InvalidInput
from overheard.input_files import open_for_reading
from overheard.observability import log
from overheard.process import RunningProcess


def configuration(context: click.Context) -> Config:
    """Load the configuration (``--config``) and set up logging. Raises ConfigError."""
    config = load(context.obj["config"], os.environ)
    log.configure(config.log.level, style=config.log.format)
    if config.log.level != "DEBUG":
        # Commands print their own errors; log lines of the libraries would only repeat them. The handlers are muted,
        # not the root logger, whose level does not apply to loggers with a level of their own.
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.CRITICAL)
    return config


@contextmanager
def open_named_input(path: str) -> Iterator[BinaryIO]:
    """Open a file given as an argument; ``-`` is stdin. Raises OSError, WrongUsage."""
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
def running_process(context: click.Context, *, create: bool = False) -> Iterator[RunningProcess]:
    """Yield this process in a session of its database, without a statement timeout.

    ``create``: create a missing SQLite database. An outdated one raises: only `overheard migrate` and `run` migrate.
    Raises ConfigError, Unavailable.
    """
    running = RunningProcess(configuration(context))
    try:
        running.require_database(create=create)
        # A command may scan large tables, and Ctrl-C stops it: the pipeline's limits do not fit.
        with running.db.session(), running.db.without_timeouts():
            yield running
    finally:
        running.db.release()
