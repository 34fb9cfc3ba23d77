"""What a transport would send, for people who want to see it before it is sent."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from overheard.notices import Notice


class MessagePreview(msgspec.Struct, frozen=True):
    """A message as it would be sent: ``text`` for a terminal, and ``html`` if it is a page, as in a mail."""

    text: str
    html: str | None = None


@runtime_checkable
class PreviewingTransport(Protocol):
    """A transport that can say what it would send."""

    def preview(self, notice: Notice) -> MessagePreview:
        """Return what ``send`` would send, and send nothing."""


def json_preview(body: bytes) -> MessagePreview:
    """Return a JSON body in lines."""
    return MessagePreview(msgspec.json.format(body, indent=2).decode())
