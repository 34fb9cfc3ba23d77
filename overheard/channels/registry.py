"""Which kind of channel a URL asks for. A new kind is one module and one line in ``KINDS``.

An https:// address is a signed webhook, unless it was copied from a chat service (``pasted``): those are Apprise's.
"""

from __future__ import annotations

import re
from typing import Protocol

from overheard.channels import Channel, ChannelOptions
from overheard.channels.apprise.channel import AppriseChannel
from overheard.channels.chat_urls import chat_service
from overheard.channels.null import NullChannel
from overheard.channels.redact import redact
from overheard.channels.signing import new_secret
from overheard.channels.webhook import WebhookChannel
from overheard.errors import InvalidInput


class ChannelFactory(Protocol):
    """Makes a channel, or raises InvalidInput that shows neither URL nor secret. ``signed``: it has a secret."""

    signed: bool

    def __call__(self, url: str, secret: str | None, options: ChannelOptions) -> Channel: ...


KINDS: dict[str, ChannelFactory] = {
    "http": WebhookChannel,
    "https": WebhookChannel,
    "null": NullChannel,
}
DEFAULT_KIND: ChannelFactory = AppriseChannel
SCHEME = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]*)://")


def open_channel(url: str, secret: str | None, *, options: ChannelOptions) -> Channel:
    """A ready channel. It holds no connection: open one per send, or keep it; threads may share it.

    ``secret`` is a webhook's (``whsec_…`` or plain base64), None for all others. Raises InvalidInput.
    """
    if SCHEME.match(url) is None:
        raise InvalidInput("url: a channel is https://… (a signed webhook) or an Apprise address such as slack://…")
    if chat_service(url) is not None:
        secret = None  # it may have one from when such addresses were taken for webhooks
    kind = _kind(url)
    if secret is not None and not kind.signed:
        raise InvalidInput("secret: only http:// and https:// channels are signed; remove it")
    return kind(url, secret, options)


def is_signed(url: str) -> bool:
    """Whether this channel needs a secret: make one with ``new_secret`` where the user gave none."""
    return _kind(url).signed


def validate_url(url: str, secret: str | None = None, *, options: ChannelOptions, where: str = "channel") -> None:
    """Raise InvalidInput when no channel can be made of this. ``where`` says where it was written.

    Nothing is connected to and no name resolved: that is checked when it counts, at each connection.
    """
    if secret is None and is_signed(url):
        secret = new_secret()
    try:
        open_channel(url, secret, options=options)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error} (was: {redact(url)})") from None


def _kind(url: str) -> ChannelFactory:
    if chat_service(url) is not None:
        return DEFAULT_KIND
    return KINDS.get(url.partition("://")[0].lower(), DEFAULT_KIND)
