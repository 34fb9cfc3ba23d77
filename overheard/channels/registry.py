"""Choose a transport by a channel's URL. A new one is one module, and one line in ``kinds`` or ``chat_kinds``.

They are imported when the first channel is opened or checked: that takes a quarter of a second, and most commands have
nothing to send. Those of ``chat_kinds`` are asked whether a URL is theirs, in the form of the service or of Apprise; an
option that they lack makes it Apprise's. Any other address that was copied from a chat service (``chat_urls``) is
Apprise's, too, and any other https:// address is a signed webhook.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Protocol

from overheard.channels import ChannelOptions, Transport
from overheard.channels.chat_urls import chat_service
from overheard.channels.redact import redact
from overheard.channels.signing import new_secret
from overheard.errors import InvalidInput


class TransportFactory(Protocol):
    """Build a transport, or raise InvalidInput that shows neither URL nor secret.

    ``kind`` is that of its transports. ``signed``: it needs a secret; without it, ``secret`` is None.
    """

    kind: str
    signed: bool

    def __call__(self, url: str, secret: str | None, options: ChannelOptions) -> Transport: ...


class ChatTransportFactory(TransportFactory, Protocol):
    """A factory that knows its URLs."""

    def takes(self, url: str) -> bool:
        """Return True if this transport sends to ``url`` and knows all of its options."""


SCHEME = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]*)://")


@cache
def chat_kinds() -> tuple[ChatTransportFactory, ...]:
    """Return the transports that know their URLs."""
    from overheard.channels.discord import DiscordTransport
    from overheard.channels.email.transport import EmailTransport
    from overheard.channels.ntfy import NtfyTransport
    from overheard.channels.slack import SlackTransport
    from overheard.channels.telegram import TelegramTransport

    return DiscordTransport, EmailTransport, NtfyTransport, SlackTransport, TelegramTransport


@cache
def kinds() -> Mapping[str, TransportFactory]:
    """Return the transports of the other schemes that are not Apprise's."""
    from overheard.channels.file import FileTransport
    from overheard.channels.null import NullTransport
    from overheard.channels.webhook import WebhookTransport

    return {"http": WebhookTransport, "https": WebhookTransport, "file": FileTransport, "null": NullTransport}


@cache
def default_kind() -> TransportFactory:
    """Return the transport of all other URLs."""
    from overheard.channels.apprise.transport import AppriseTransport

    return AppriseTransport


def open_transport(url: str, secret: str | None, *, options: ChannelOptions) -> Transport:
    """Return a transport for this URL. It holds no connection, so it may be kept, and shared between threads.

    ``secret`` is a signed channel's (``whsec_…`` or plain base64), None for all others. Raises InvalidInput.
    """
    if SCHEME.match(url) is None:
        raise InvalidInput("url: a channel's address starts with its scheme, such as https://… or slack://…")
    if chat_service(url) is not None:
        # Rows from before chat addresses were recognized hold the secret that was made for a webhook then.
        secret = None
    factory = _factory(url)
    if secret is not None and not factory.signed:
        raise InvalidInput(f"secret: {_scheme(url)}:// channels are not signed; remove it")
    return factory(url, secret, options)


def is_signed(url: str) -> bool:
    """Return True if this channel needs a secret: make one with ``new_secret`` where the user gave none."""
    return _factory(url).signed


def validate_url(url: str, secret: str | None = None, *, options: ChannelOptions, where: str = "channel") -> None:
    """Raise InvalidInput if no transport can be built for this URL. ``where`` says where the URL was written.

    No connection is made and no name resolved: a name may point elsewhere a second later, so ``net.egress`` checks
    the address at each connection.
    """
    if secret is None and is_signed(url):
        secret = new_secret()
    try:
        open_transport(url, secret, options=options)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error} (was: {redact(url)})") from None


def _factory(url: str) -> TransportFactory:
    chat = next((kind for kind in chat_kinds() if kind.takes(url)), None)
    if chat is not None:
        return chat
    if chat_service(url) is not None:
        return default_kind()
    return kinds().get(_scheme(url)) or default_kind()


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()
