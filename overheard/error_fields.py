"""What is told of an error: in words where they are ours, else only what it is and where it happened.

A foreign error's text may quote an item, a query or an address; its traceback shows source lines. Neither is for logs
nor for dead letters.
"""

from __future__ import annotations

import traceback
from types import FrameType
from typing import Any

from overheard.errors import OverheardError

OWN_PACKAGES = ("overheard", "actors", "producers")
MAX_FRAMES = 12  # frames
MAX_TRACEBACK_FRAMES = 30  # of each error


def log_fields(error: BaseException, *, in_full: bool = False) -> dict[str, Any]:
    """Fields for a log line: ``error`` (its type), ``at``, and our own words as ``reason``, or else our own frames.

    ``in_full``: with the words of foreign errors too.
    """
    way = own_frames(error)
    fields: dict[str, Any] = {"error": type(error).__name__, "at": way[-1] if way else ""}
    expected = isinstance(error, OverheardError)
    if (expected or in_full) and str(error):
        fields["reason"] = str(error)
    if not expected:
        fields["frames"] = way
    return fields


def safe_text(error: BaseException) -> str:
    """Return ``InvalidInput: text``, or the type alone where the text is not ours."""
    words = str(error) if isinstance(error, OverheardError) else ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def safe_traceback(error: BaseException) -> str:
    """Return the traceback of the error and of those that led to it: types, our own words, files, lines, functions."""
    chain: list[BaseException] = []
    each: BaseException | None = error
    while each is not None and each not in chain:
        chain.append(each)
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "\n\n".join(map(_traced, reversed(chain)))


def _traced(error: BaseException) -> str:
    way = [_told(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return "\n".join([*(f"  {place}" for place in way[-MAX_TRACEBACK_FRAMES:]), safe_text(error)])


def own_frames(error: BaseException) -> list[str]:
    """The way through our own code to where it was raised, outermost first; a foreign place stands at the end."""
    way = list(traceback.walk_tb(error.__traceback__))
    own = [_told(frame, line) for frame, line in way if _is_ours(frame)]
    if way and not _is_ours(way[-1][0]):
        own.append(_told(*way[-1]))
    return own[-MAX_FRAMES:]


def _is_ours(frame: FrameType) -> bool:
    module = frame.f_globals.get("__package__") or frame.f_globals.get("__name__") or ""
    return str(module).partition(".")[0] in OWN_PACKAGES


def _told(frame: FrameType, line: int) -> str:
    """``folder/file.py:12 function``."""
    return f"{'/'.join(frame.f_code.co_filename.split('/')[-2:])}:{line} {frame.f_code.co_name}"
