"""How many bytes a text takes in a mail, in the shorter of the two encodings that every server takes."""

from __future__ import annotations

BASE64_RATIO = 78 / 57  # a line of 57 bytes takes 76 characters and a line end
QUOTED_LINE_CHARS = 75
SOFT_BREAK_CHARS = 3  # "=" and a line end


def wire_size(text: str) -> int:
    """Return at least as many bytes as the text takes in a mail, and hardly more."""
    data = text.encode("utf-8", "replace")
    return min(_quoted(data), _base64(data))


def is_shorter_in_base64(text: str) -> bool:
    """Return True if base64 takes less room than quoted-printable, which readers of sources prefer."""
    data = text.encode("utf-8", "replace")
    return _base64(data) < _quoted(data)


def _base64(data: bytes) -> int:
    return int(len(data) * BASE64_RATIO) + 80


def _quoted(data: bytes) -> int:
    lines = data.count(b"\n")
    encoded = len(data) + 2 * (len(data) - len(data.translate(None, _ENCODED))) + lines + 2 * (data.count(b" \n"))
    return encoded + (encoded // (QUOTED_LINE_CHARS - 2) + 1) * SOFT_BREAK_CHARS


_ENCODED = bytes(byte for byte in range(256) if byte == ord("=") or byte > 126 or (byte < 32 and byte != 10))
