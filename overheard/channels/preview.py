"""What a transport would send, for people who want to see it before it is sent."""

from __future__ import annotations

import msgspec


class MessagePreview(msgspec.Struct, frozen=True):
    """A message as it would be sent: ``text`` for a terminal, and ``html`` if it is a page, as in a mail."""

    text: str
    html: str | None = None


def json_preview(body: bytes) -> MessagePreview:
    """Return a JSON body in lines."""
    return MessagePreview(msgspec.json.format(body, indent=2).decode())
