"""What a ``mailto://`` or ``mailtos://`` URL says: the server, the login, the sender and the recipients.

The URLs are Apprise's, whose parser reads them, so that those which are stored keep their meaning: it knows the servers
of mail providers, several ways to write a recipient, and which port belongs to which kind of encryption.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

from overheard.channels import ChannelOptions
from overheard.channels.apprise.transport import APP_NAME, AppriseTransport, url_options
from overheard.errors import InvalidInput
from overheard.net.addresses import parse_address, why_refused
from overheard.net.egress import ALLOW_PRIVATE_HINT

SCHEME = re.compile(r"mailtos?://", re.IGNORECASE)
Encryption = Literal["starttls", "ssl", "insecure"]
# Options that are read here, and those that the egress rules override anyway. With any other one (pgp, wkd, verify=no,
# +Header …) Apprise sends the mail.
READ_OPTIONS = frozenset({"to", "from", "name", "cc", "bcc", "reply", "smtp", "mode", "user", "pass", "port"})
OVERRIDDEN_OPTIONS = frozenset({"overflow", "rto", "cto", "redirect", "retry", "tz"})
# Narrower than RFC 5321: nothing in it means anything to a mail server or in a header.
ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9._-]{1,253}")


class Mailbox(NamedTuple):
    """``name`` may be empty."""

    name: str
    address: str


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A mail channel. ``user`` and ``password`` are empty if there is no login; a ``to`` gets a mail of its own."""

    host: str
    port: int
    encryption: Encryption
    user: str
    password: str
    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]

    @property
    def domain(self) -> str:
        """Return the sender's domain: it names us in Message-ID, List-Id and EHLO, on every machine alike."""
        return self.sender.address.rpartition("@")[2].lower()


def is_readable(url: str) -> bool:
    """Return True for the URL of a mail channel without anything that only Apprise can do."""
    if SCHEME.match(url) is None:
        return False
    options = url_options(url)
    return options is not None and all(_is_known(name, value) for name, value in options.items())


def read_settings(url: str, options: ChannelOptions) -> MailSettings:
    """Return what the URL says. Raises InvalidInput, without the URL in its text."""
    service: Any = AppriseTransport(url, None, options).service()
    host = str(service.smtp_host).strip("[]")
    if not options.allow_private:
        _refuse_private(host)
    login = bool(service.user and service.password)
    settings = MailSettings(
        host=host,
        port=int(service.port),
        encryption=service.secure_mode,
        user=str(service.user) if login else "",
        password=str(service.password) if login else "",
        sender=Mailbox(str(service.from_addr[0] or APP_NAME), str(service.from_addr[1])),
        to=tuple(dict.fromkeys(Mailbox(str(name or ""), str(address)) for name, address in service.targets)),
        cc=_mailboxes(service.cc - service.bcc, service.names),
        bcc=_mailboxes(service.bcc, service.names),
        reply_to=_mailboxes(service.reply_to, service.names),
    )
    if not settings.to:
        raise InvalidInput("url: none of the recipients in to= is a mail address")
    if not all(map(_is_plain, _all_mailboxes(settings))):
        raise InvalidInput("url: an address in it has characters that a mail address rarely has; use another one")
    return settings


def _is_known(name: str, value: str) -> bool:
    if name == "verify":
        return value.lower() in ("yes", "true", "1", "")
    if name == "format":
        return value.lower() in ("html", "")
    return name in READ_OPTIONS or name in OVERRIDDEN_OPTIONS


def _refuse_private(host: str) -> None:
    address = parse_address(host)
    why = why_refused(address) if address is not None else None
    if why is not None:
        raise InvalidInput(f"url: points at {host} ({why}); {ALLOW_PRIVATE_HINT}")


def _mailboxes(addresses: Iterable[str], names: dict[str, Any]) -> tuple[Mailbox, ...]:
    return tuple(Mailbox(str(names.get(address) or ""), address) for address in sorted(addresses))


def _all_mailboxes(settings: MailSettings) -> Iterable[Mailbox]:
    return (settings.sender, *settings.to, *settings.cc, *settings.bcc, *settings.reply_to)


def _is_plain(mailbox: Mailbox) -> bool:
    return ADDRESS.fullmatch(mailbox.address) is not None
