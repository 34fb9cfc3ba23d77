"""Headers that clients in other languages may send, and pika would not."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika.data


class Raw:
    """A header's value in its encoded form."""

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded


def nested(depth: int) -> Raw:
    """A table in a table …"""
    inner = b""
    for _ in range(depth):
        inner = b"\x01aF" + struct.pack(">I", len(inner)) + inner
    return Raw(b"F" + struct.pack(">I", len(inner)) + inner)


ODD: dict[str, dict[str, Any]] = {
    "a word": {"x-death": "strange"},
    "words": {"x-death": ["strange"]},
    "no list": {"x-death": {"queue": "match"}},
    "an empty list": {"x-death": []},
    "odd values": {"x-death": [{"queue": 7, "reason": ["a", "list"]}]},
    "a late time": {"x-odd": Raw(b"T" + struct.pack(">Q", 2**63))},
    "many tables": {"x-odd": nested(5_000)},
    "no UTF-8": {"x-odd": Raw(b"S" + struct.pack(">I", 2) + b"\xff\xfe")},
    "other kinds": {"x-reason": ["a", {"list": 1}], "x-routing-key": {"no": "key"}},
    "a long reason": {"x-reason": "long" * 10_000, "x-routing-key": "long" * 10_000},
}


@contextmanager
def writable() -> Iterator[None]:
    """Make pika encode ``Raw`` values."""
    encode = pika.data.encode_value

    def encode_raw(pieces: list[bytes], value: Any) -> int:
        if not isinstance(value, Raw):
            return int(encode(pieces, value))
        pieces.append(value.encoded)
        return len(value.encoded)

    pika.data.encode_value = encode_raw
    try:
        yield
    finally:
        pika.data.encode_value = encode
