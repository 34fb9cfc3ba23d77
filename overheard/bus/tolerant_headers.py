"""Replace header values that pika cannot decode by None.

RabbitMQ passes on a time after the year 9999, or tables nested a thousand times. pika raises on them in the middle of a
frame, and the connection is lost, again at each redelivery: one message of any client would stop the ingress, a stage
or the tick. So pika's function that decodes a value is replaced; a test sends such headers through a real RabbitMQ.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pika.data

TIMESTAMP_BYTES = 8

_decode: Callable[[bytes, int], tuple[Any, int]] = pika.data.decode_value


def install() -> None:
    """Replace pika's function in this process. Idempotent."""
    pika.data.decode_value = _decode_or_skip


def _decode_or_skip(encoded: bytes, offset: int) -> tuple[Any, int]:
    try:
        return _decode(encoded, offset)
    except (ValueError, OverflowError, OSError, RecursionError):
        kind, start = encoded[offset : offset + 1], offset + 1
        if kind == b"T":
            return None, start + TIMESTAMP_BYTES
        if kind in (b"F", b"A"):  # a table or a list begins with its length
            return None, start + 4 + int(struct.unpack_from(">I", encoded, start)[0])
        raise
