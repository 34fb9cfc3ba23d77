"""Logs: one line an event, readable on a terminal, JSON otherwise. Never a secret, never an item's text.

What a line bears is in docs/logs.md. Fields that ``bind`` or ``bound`` bind are on every line of the thread from then
on; ``run`` and ``workspace`` travel with the messages that it sends (``propagated``), from the event to the last stage.
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

# Below warnings, libraries tell passwords (prawcore), channels' addresses and whole rows (peewee logs every statement
# with its values), whatever the level. A test sees to it that none is missing here.
NOISY_LIBRARIES = (
    *("apprise", "asyncio", "charset_normalizer", "concurrent", "dramatiq", "lark", "oauthlib", "peewee", "pika"),
    *("praw", "prawcore", "psycopg", "requests", "requests_oauthlib", "urllib3", "websocket"),
)
LEADING_FIELDS = ("timestamp", "level", "logger", "event", "stage", "run", "workspace", "message_id")
PROPAGATED_FIELDS = ("run", "workspace")
VALUE_MAX_CHARS = 2_000  # characters of a value: what a remote server says must not fill the disk


def get_logger(name: str) -> Logger:
    """A logger that binds nothing until it is used, so that modules may hold one."""
    return structlog.stdlib.get_logger(name)


def bind(**fields: Any) -> None:
    """Put these on all lines of this thread from now on, until ``bound`` or the message ends."""
    structlog.contextvars.bind_contextvars(**fields)


def clear() -> None:
    """The thread is done with what its lines were about."""
    structlog.contextvars.clear_contextvars()


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """These fields, and what is noted meanwhile, are on all lines within."""
    before = structlog.contextvars.get_contextvars()
    bind(**fields)
    try:
        yield
    finally:
        clear()
        bind(**before)


def propagated() -> dict[str, Any]:
    """What a message takes along of the work that sends it."""
    bound = structlog.contextvars.get_contextvars()
    return {name: bound[name] for name in PROPAGATED_FIELDS if name in bound}


def configure(level: str = "INFO", *, style: str = "auto", stream: TextIO | None = None) -> None:
    """Send the whole process's logs, ours and libraries', to ``stream`` (stderr) in one form.

    ``style``: ``text``, ``json``, or ``auto`` (text on a terminal). Called once, by a composition root. Errors that are
    not our own are logged without their text, which may quote an item; at level DEBUG with it.
    """
    out = stream if stream is not None else sys.stderr
    as_text = is_text(style, out)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        _faults(in_full=level == "DEBUG"),
        _clip,
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
    """Whether lines of this style are for people."""
    return style == "text" or (style == "auto" and (stream or sys.stderr).isatty())


def log_uncaught() -> None:
    """Let Python's own warnings, and errors that end a thread, be lines like all others. For a process's main."""
    logging.captureWarnings(True)

    def ended(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "?"
        get_logger(__name__).critical("thread ended", thread=name, exc_info=args.exc_value)

    threading.excepthook = ended


def _faults(*, in_full: bool) -> Callable[[Logger, str, EventDict], EventDict]:
    """An error becomes fields. Never a traceback with source lines, let alone with the values of variables."""

    def tell(logger: Logger, name: str, event: EventDict) -> EventDict:
        given = event.pop("exc_info", None)
        error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
        if isinstance(error, BaseException):
            event.update(log_fields(error, in_full=in_full))
        return event

    return tell


def _clip(logger: Logger, name: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and len(value) > VALUE_MAX_CHARS:
            event[key] = value[: VALUE_MAX_CHARS - 1] + "…"
    return event


def _as_json(logger: Logger, name: str, event: EventDict) -> str:
    line = {key: event.pop(key) for key in LEADING_FIELDS if key in event}
    return json.dumps(line | dict(event), default=repr)


def _console(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    """For people, who need not know each id in full.

    What would move a terminal's cursor or forge a line is escaped: servers far away write reasons.
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
        Column("event", column(_words, bright, 16)),
        Column("workspace", values),
        Column("run", KeyValueColumnFormatter(dim, green, plain, lambda run: _value(str(run)[:8]))),
        *(Column(name, lambda key, value: "") for name in ("logger", "message_id")),
    ]
    return structlog.dev.ConsoleRenderer(columns=columns)


def _words(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]


def _value(value: object) -> str:
    plain = isinstance(value, str) and value.isprintable() and value and not set(value) & set(" =\"'\\")
    return str(value) if plain else repr(value)
