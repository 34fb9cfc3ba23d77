"""A channel that takes everything and keeps nothing (``null://``): where the canary ends, and for trying things out."""

from __future__ import annotations

from overheard.channels import ChannelOptions
from overheard.errors import InvalidInput
from overheard.notices import Notice


class NullChannel:
    """Nowhere. Raises InvalidInput for a URL that says more: somebody thinks that it leads somewhere."""

    kind = "null"
    signed = False

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        if url.partition("://")[2]:
            raise InvalidInput("url: null:// leads nowhere, so nothing can stand after it")

    def send(self, notice: Notice) -> None:
        """It is delivered."""
