"""Standard streams in any state: closed, full, or in an encoding without check marks."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

ERROR_HANDLER = "overheard.nearest"  # the name under which ``codecs`` registers our handler
ASCII_FALLBACKS = {"✓": "+", "✗": "x", "…": "...", "–": "-", "“": '"', "”": '"', "’": "'"}
SIGPIPE_EXIT_CODE = 141  # 128 + SIGPIPE, as shells report a process that wrote to a closed pipe


def prepare() -> None:
    """Make all three streams usable.

    1. Open closed descriptors on /dev/null: otherwise the next file to be opened, a database, would get their number.
    2. Replace characters that the stream's encoding lacks by ASCII or an escape, instead of raising an error.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        # Descriptors that Python opens are not inherited, but a child process expects these three to be open.
        os.set_inheritable(number, True)
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open until the process ends
    codecs.register_error(ERROR_HANDLER, _nearest)
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        stream.reconfigure(errors=ERROR_HANDLER)


def _nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    fallback = ASCII_FALLBACKS.get(error.object[error.start])
    return (fallback, error.start + 1) if fallback is not None else codecs.backslashreplace_errors(error)


def run_guarded(run: Callable[[], None]) -> None:
    """Run a command; exit with a plain message if its output cannot be written."""
    try:
        try:
            run()
        finally:
            # Here, and not at the interpreter's exit, where a failure could only print "Exception ignored".
            sys.stdout.flush()
    except OSError as error:
        _redirect_to_null(sys.stdout)
        if error.errno == errno.EPIPE:
            sys.exit(SIGPIPE_EXIT_CODE)
        with suppress(OSError):
            sys.stderr.write(f"overheard: standard output: {error.strerror or type(error).__name__}\n")
            sys.stderr.flush()
        _redirect_to_null(sys.stderr)
        sys.exit(1)


def discard_stdout() -> None:
    """Discard buffered output after its reader has gone: otherwise the interpreter's last flush would fail."""
    _redirect_to_null(sys.stdout)


def _redirect_to_null(stream: Any) -> None:
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
