"""Logs: one line an event, readable on a terminal, JSON otherwise. Never a secret, never an item's text."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

Logger = Any  # structlog's bound loggers are built dynamically

# Below warnings, libraries tell passwords (prawcore), channels' addresses and whole rows (peewee logs every statement
# with its values), whatever the level. A test sees to it that none is missing here.
QUIET = (
    *("apprise", "asyncio", "charset_normalizer", "concurrent", "dramatiq", "lark", "oauthlib", "peewee", "pika"),
    *("praw", "prawcore", "psycopg", "requests", "requests_oauthlib", "urllib3", "websocket"),
)


def get_logger(name: str) -> Logger:
    """A logger that binds nothing until it is used, so that modules may hold one."""
    return structlog.stdlib.get_logger(name)


def configure(level: str = "INFO", *, style: str = "auto", stream: TextIO | None = None) -> None:
    """Send the whole process's logs, ours and libraries', to ``stream`` (stderr) in one form.

    ``style``: ``text``, ``json``, or ``auto`` (text on a terminal). Called once, by a composition root.
    """
    out = stream if stream is not None else sys.stderr
    as_text = style == "text" or (style == "auto" and out.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    if as_text:
        # Not rich's tracebacks, which show the locals of each frame: secrets and items' texts would be among them.
        plain = structlog.dev.plain_traceback
        renderer: list[Any] = [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)]
    else:
        renderer = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
