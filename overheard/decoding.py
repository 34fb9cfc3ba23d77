"""Decode JSON of others, and convert untyped values to structs, in any thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec

T = TypeVar("T")

_json = msgspec.json.Decoder()


def converter(kind: type[T]) -> Callable[[object], T]:
    """Return a function that converts a value to ``kind``. It raises ``msgspec.ValidationError``.

    msgspec builds its description of a struct at the first use, and several threads that do so at once crash it
    (seen with 0.22). So it is built here, when a module is imported. For the same reason, JSON is decoded by a
    ``msgspec.json.Decoder`` that is made at import, never by ``msgspec.json.decode(…, type=…)``.
    """
    msgspec.json.Decoder(kind)
    return partial(msgspec.convert, type=kind)


def decode_json(body: bytes) -> object:
    """Return the value of a JSON document. Raises ValueError, whose text repeats nothing of it.

    A lone surrogate, or a number beyond all floats, is part of a value: msgspec would refuse the whole document.
    """
    try:
        return _json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
