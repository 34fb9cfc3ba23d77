"""What libraries log while they work for a channel: URLs are secrets, and Apprise says why it failed nowhere else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from overheard.channels.connection_errors import fault

# urllib3 warns of malformed headers with the whole URL. Filters don't apply to a logger's children, so each is named.
LOGGERS = ("apprise", "urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")
REASONS = "apprise"
LINES = 3  # more are repetitions per recipient


class CapturedLog(msgspec.Struct):
    """Apprise's warnings and errors: their text is for a service that has not sent anything yet, as later it may repeat
    what was sent; ``fault`` says what went wrong with the connection when it logged the first one of an error.
    """

    records: list[logging.LogRecord] = []
    fault: str = ""


_said: ContextVar[CapturedLog | None] = ContextVar("overheard_library_lines", default=None)


class _Capture(logging.Filter):
    """Other threads' records, and records outside ``captured()``, pass untouched."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = _said.get()
        if said is None:
            return True
        # Swallowed, because even warnings name recipients, and the debug level shows whole URLs and payloads.
        if record.name == REASONS and record.levelno >= logging.WARNING and len(said.records) < LINES:
            said.records.append(record)
            said.fault = said.fault or fault(sys.exception())
        return False


_capture = _Capture()


@contextmanager
def captured() -> Iterator[CapturedLog]:
    """Collect Apprise's warnings and errors of this thread; nothing the libraries say reaches the log meanwhile."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_capture)  # adding it again changes nothing
    said = CapturedLog()
    token = _said.set(said)
    try:
        yield said
    finally:
        _said.reset(token)
