"""Convert untyped values to structs, in any thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec

T = TypeVar("T")


def converter(kind: type[T]) -> Callable[[object], T]:
    """Return a function that converts a value to ``kind``. It raises ``msgspec.ValidationError``.

    msgspec builds its description of a struct at the first use, and several threads that do so at once crash it
    (seen with 0.22). So it is built here, when a module is imported. For the same reason, JSON is decoded by a
    ``msgspec.json.Decoder`` that is made at import, never by ``msgspec.json.decode(…, type=…)``.
    """
    msgspec.json.Decoder(kind)
    return partial(msgspec.convert, type=kind)
