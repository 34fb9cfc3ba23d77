"""Standard streams as they may be: closed, full, or in an encoding that has no check mark."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

NEAREST = "overheard.nearest"  # how Python knows our way to write what an encoding has not
PLAIN = {"✓": "+", "✗": "x", "…": "...", "–": "-", "“": '"', "”": '"', "’": "'"}
READER_GONE = 141  # as shells count a process that wrote to a pipe nobody reads


def prepare() -> None:
    """Make all three usable, whatever the process was started with.

    1. One that was closed leads to /dev/null: the next file to be opened, a database, would get its number.
    2. What its encoding cannot say is written in its nearest form, or as an escape.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for as long as the process lives
    codecs.register_error(NEAREST, _nearest)
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        stream.reconfigure(errors=NEAREST)


def _nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    near = PLAIN.get(error.object[error.start])
    return (near, error.start + 1) if near is not None else codecs.backslashreplace_errors(error)


def guarded(run: Callable[[], None]) -> None:
    """Run a command to its end; an output that cannot be written ends it in plain words."""
    try:
        try:
            run()
        finally:
            sys.stdout.flush()
    except OSError as error:
        _forget(sys.stdout)
        if error.errno == errno.EPIPE:
            sys.exit(READER_GONE)
        with suppress(OSError):
            sys.stderr.write(f"overheard: standard output: {error.strerror or type(error).__name__}\n")
            sys.stderr.flush()
        _forget(sys.stderr)
        sys.exit(1)


def forget_stdout() -> None:
    """Let what is still buffered go nowhere: it has no reader, and the interpreter's last flush would fail."""
    _forget(sys.stdout)


def _forget(stream: Any) -> None:
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
