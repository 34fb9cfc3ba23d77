"""Capture what libraries log during a send: it contains secret URLs, and Apprise reports failures only there."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from overheard.net.connection_errors import describe_connection_error

# urllib3 warns of malformed headers with the whole URL. Filters don't apply to a logger's children, so each is named.
LOGGERS = ("apprise", "urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")
APPRISE_LOGGER = "apprise"
MAX_RECORDS = 3  # Apprise repeats a line for each recipient


class CapturedLog(msgspec.Struct):
    """Apprise's warnings and errors, from the start of the block.

    Use the records' text only before anything was sent: later they may repeat what was sent. ``problem`` is what went
    wrong with the connection, by the first logged record that has an error at hand.
    """

    records: list[logging.LogRecord] = []
    problem: str = ""


_current: ContextVar[CapturedLog | None] = ContextVar("overheard_library_lines", default=None)


class _Capture(logging.Filter):
    """Pass records of other threads, and records outside ``captured()``, unchanged."""

    def filter(self, record: logging.LogRecord) -> bool:
        captured_log = _current.get()
        if captured_log is None:
            return True
        # Swallowed, because even warnings name recipients, and the debug level shows whole URLs and payloads.
        if (
            record.name == APPRISE_LOGGER
            and record.levelno >= logging.WARNING
            and len(captured_log.records) < MAX_RECORDS
        ):
            captured_log.records.append(record)
            captured_log.problem = captured_log.problem or describe_connection_error(sys.exception())
        return False


_capture = _Capture()


@contextmanager
def captured() -> Iterator[CapturedLog]:
    """Collect Apprise's warnings and errors of this thread; until the block ends the libraries log nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_capture)  # adding it again changes nothing
    captured_log = CapturedLog()
    token = _current.set(captured_log)
    try:
        yield captured_log
    finally:
        _current.reset(token)
