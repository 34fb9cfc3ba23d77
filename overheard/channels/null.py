"""``null://`` accepts every notice and discards it: the canary ends here, and it serves for trying things out."""

from __future__ import annotations

from overheard.channels import ChannelOptions, Pace
from overheard.channels.preview import MessagePreview
from overheard.errors import InvalidInput
from overheard.notices import Notice


class NullTransport:
    """Discards everything. Raises InvalidInput for a URL with an address: its author expects delivery there."""

    kind = "null"
    signed = False
    pace: Pace | None = None

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        if url.partition("://")[2]:
            raise InvalidInput("url: null:// discards everything, so it has no address; remove what follows it")

    def preview(self, notice: Notice) -> MessagePreview:
        """Return nothing, as nothing is sent."""
        return MessagePreview("")

    def send(self, notice: Notice) -> None:
        """Discard the notice; the delivery counts as sent."""
