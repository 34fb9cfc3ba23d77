"""Logs: one line per event, text on a terminal, JSON otherwise. Never a secret, never an item's text.

docs/logs.md describes the fields. ``bind`` and ``bound`` add fields to all later lines of the thread; ``run`` and
``workspace`` are also sent along with messages (``propagated``), from the event to the last stage.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.dev import Column, KeyValueColumnFormatter
from structlog.typing import EventDict

from overheard.error_fields import log_fields

Logger = Any  # structlog's bound loggers are built dynamically

# Below WARNING, libraries log passwords (prawcore), channels' addresses and whole rows (peewee logs every statement
# with its values). So they are kept at WARNING whatever our level is. A test checks that none is missing.
NOISY_LIBRARIES = (
    *("apprise", "asyncio", "charset_normalizer", "concurrent", "dramatiq", "oauthlib", "peewee", "pika"),
    *("praw", "prawcore", "psycopg", "requests", "requests_oauthlib", "selectolax", "urllib3", "websocket"),
)
LEADING_FIELDS = ("timestamp", "level", "logger", "event", "stage", "run", "workspace", "message_id")
PROPAGATED_FIELDS = ("run", "workspace")
VALUE_MAX_CHARS = 2_000  # a remote server's text must not fill the disk


def get_logger(name: str) -> Logger:
    """Return a lazy logger, which modules may create at import: it reads the configuration at each use."""
    return structlog.stdlib.get_logger(name)


def bind(**fields: Any) -> None:
    """Add fields to all later lines of this thread, until ``bound`` or the message ends."""
    structlog.contextvars.bind_contextvars(**fields)


def clear() -> None:
    """Remove all fields bound to this thread."""
    structlog.contextvars.clear_contextvars()


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Bind fields for the lines within; restore the previous fields at the end."""
    before = structlog.contextvars.get_contextvars()
    bind(**fields)
    try:
        yield
    finally:
        clear()
        bind(**before)


def propagated() -> dict[str, Any]:
    """Return the bound fields that messages carry along."""
    fields = structlog.contextvars.get_contextvars()
    return {name: fields[name] for name in PROPAGATED_FIELDS if name in fields}


def configure(level: str = "INFO", *, style: str = "auto", stream: TextIO | None = None) -> None:
    """Send all logs of the process, ours and libraries', to ``stream`` (stderr) in one format.

    ``style``: ``text``, ``json``, or ``auto`` (text on a terminal). Call it once, in a composition root. Foreign errors
    are logged without their text, which may quote an item, except at level DEBUG.
    """
    out = stream if stream is not None else sys.stderr
    as_text = is_text(style, out)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        _error_processor(in_full=level == "DEBUG"),
        _truncate,
    ]
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
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _console(colors=out.isatty()) if as_text else _as_json,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def is_text(style: str, stream: TextIO | None = None) -> bool:
    """Return True if this style is text for people, not JSON."""
    return style == "text" or (style == "auto" and (stream or sys.stderr).isatty())


def log_uncaught() -> None:
    """Log Python's warnings and errors that end a thread as lines like all others."""
    logging.captureWarnings(True)

    def log_thread_death(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "?"
        get_logger(__name__).critical("thread ended", thread=name, exc_info=args.exc_value)

    threading.excepthook = log_thread_death


def _error_processor(*, in_full: bool) -> Callable[[Logger, str, EventDict], EventDict]:
    """Return the processor that turns ``exc_info`` into fields: no source lines, no values of variables."""

    def add_fields(logger: Logger, name: str, event: EventDict) -> EventDict:
        exc_info = event.pop("exc_info", None)
        error = exc_info[1] if isinstance(exc_info, tuple) else sys.exc_info()[1] if exc_info is True else exc_info
        if isinstance(error, BaseException):
            event.update(log_fields(error, in_full=in_full))
        return event

    return add_fields


def _truncate(logger: Logger, name: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and len(value) > VALUE_MAX_CHARS:
            event[key] = value[: VALUE_MAX_CHARS - 1] + "…"
    return event


def _as_json(logger: Logger, name: str, event: EventDict) -> str:
    line = {key: event.pop(key) for key in LEADING_FIELDS if key in event}
    return json.dumps(line | dict(event), default=repr)


def _console(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    """Return the renderer for people, with shortened ids.

    Characters that move a terminal's cursor or forge a line are escaped: remote servers write some of the reasons.
    """
    bright, dim, green, plain = ("\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[0m") if colors else ("", "", "", "")

    def column(show: Callable[[object], str], style: str, width: int = 0) -> KeyValueColumnFormatter:
        return KeyValueColumnFormatter(None, style, plain, show, width)

    values = KeyValueColumnFormatter(dim, green, plain, _value)
    columns = [
        Column("", values),
        Column("timestamp", column(lambda moment: f"{str(moment)[11:23]}Z", dim)),
        Column("level", column(lambda level: str(level).upper(), "", 8)),
        Column("stage", column(_value, green, 7)),
        Column("event", column(_text, bright, 16)),
        Column("workspace", values),
        Column("run", KeyValueColumnFormatter(dim, green, plain, lambda run: _value(str(run)[:8]))),
        # Hidden: run and stage tell people the same in fewer characters.
        *(Column(name, lambda key, value: "") for name in ("logger", "message_id")),
    ]
    return structlog.dev.ConsoleRenderer(columns=columns)


def _text(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]


def _value(value: object) -> str:
    plain = isinstance(value, str) and value.isprintable() and value and not set(value) & set(" =\"'\\")
    return str(value) if plain else repr(value)
