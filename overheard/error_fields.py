"""Describe an error for logs and dead letters: our own errors with their text, others by type and place only.

A foreign error's text may quote an item, a query or an address, and its traceback shows source lines: neither may be
logged or stored.
"""

from __future__ import annotations

import traceback
from types import FrameType
from typing import Any

from overheard.errors import OverheardError

OWN_PACKAGES = ("overheard", "actors", "producers")
MAX_FRAMES = 12  # on a log line
MAX_TRACEBACK_FRAMES = 30  # of each error of a dead letter's traceback


def log_fields(error: BaseException, *, in_full: bool = False) -> dict[str, Any]:
    """Return log fields: ``error`` (its type), ``at``, and ``reason`` for our own errors, ``frames`` for others.

    ``in_full``: add the text of foreign errors as ``reason``, too.
    """
    frames = own_frames(error)
    fields: dict[str, Any] = {"error": type(error).__name__, "at": frames[-1] if frames else ""}
    expected = isinstance(error, OverheardError)
    if (expected or in_full) and str(error):
        fields["reason"] = str(error)
    if not expected:
        fields["frames"] = frames
    return fields


def safe_text(error: BaseException) -> str:
    """Return ``InvalidInput: text``, or only the type of a foreign error."""
    text = str(error) if isinstance(error, OverheardError) else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def safe_traceback(error: BaseException) -> str:
    """Return the traceback of the error and its causes: files, lines, functions, types and our own texts."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:  # an error may be its own cause
        chain.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\n\n".join(map(_safe_traceback_of_one, reversed(chain)))


def _safe_traceback_of_one(error: BaseException) -> str:
    locations = [_location(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return "\n".join([*(f"  {location}" for location in locations[-MAX_TRACEBACK_FRAMES:]), safe_text(error)])


def own_frames(error: BaseException) -> list[str]:
    """Return our own frames, outermost first, and the frame that raised if it is foreign."""
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [_location(frame, line) for frame, line in frames if _is_ours(frame)]
    if frames and not _is_ours(frames[-1][0]):
        own.append(_location(*frames[-1]))
    return own[-MAX_FRAMES:]


def _is_ours(frame: FrameType) -> bool:
    module = frame.f_globals.get("__package__") or frame.f_globals.get("__name__") or ""
    return str(module).partition(".")[0] in OWN_PACKAGES


def _location(frame: FrameType, line: int) -> str:
    """Return ``folder/file.py:12 function``."""
    return f"{'/'.join(frame.f_code.co_filename.split('/')[-2:])}:{line} {frame.f_code.co_name}"
