"""Headers whose values pika cannot decode.

A time after the year 9999, a table in a table a thousand times: RabbitMQ hands them on, pika raises in the middle of a
frame, and the connection is lost, again each time that the message comes. So one message of anybody's would stop the
ingress, a stage, or the tick. pika's function for a value is replaced by one that puts nothing where it would be; a
test sends such headers through a real RabbitMQ.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pika.data

TIMESTAMP_BYTES = 8  # bytes

_decode: Callable[[bytes, int], tuple[Any, int]] = pika.data.decode_value


def install() -> None:
    """From now on, in this process. Any number of times."""
    pika.data.decode_value = _decode_or_pass


def _decode_or_pass(encoded: bytes, offset: int) -> tuple[Any, int]:
    try:
        return _decode(encoded, offset)
    except (ValueError, OverflowError, OSError, RecursionError):
        kind, start = encoded[offset : offset + 1], offset + 1
        if kind == b"T":
            return None, start + TIMESTAMP_BYTES
        if kind in (b"F", b"A"):  # a table or a list begins with its length
            return None, start + 4 + int(struct.unpack_from(">I", encoded, start)[0])
        raise
