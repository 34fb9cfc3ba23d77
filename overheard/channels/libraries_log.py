"""What libraries log while they work for a channel: URLs are secrets, and Apprise says why it failed nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# urllib3 warns of malformed headers with the whole URL. Filters don't apply to a logger's children, so each is named.
LOGGERS = ("apprise", "urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")
REASONS = "apprise"
LINES = 3  # more are repetitions per recipient

_lines: ContextVar[list[str] | None] = ContextVar("overheard_library_lines", default=None)


class _Capture(logging.Filter):
    """Other threads' records, and records outside ``captured()``, pass untouched."""

    def filter(self, record: logging.LogRecord) -> bool:
        lines = _lines.get()
        if lines is None:
            return True
        # Swallowed, because even warnings name recipients, and the debug level shows whole URLs and payloads.
        if record.name == REASONS and record.levelno >= logging.WARNING and len(lines) < LINES:
            lines.append(record.getMessage().strip())
        return False


_capture = _Capture()


@contextmanager
def captured() -> Iterator[list[str]]:
    """Collect Apprise's warnings and errors of this thread; nothing the libraries say reaches the log meanwhile."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_capture)  # adding it again changes nothing
    lines: list[str] = []
    token = _lines.set(lines)
    try:
        yield lines
    finally:
        _lines.reset(token)
