"""Write a mail: its headers, a text part with links, and a page, as the bytes that go over the wire.

Written with ``email``'s older policy, because the newer one folds long identifiers into encoded words, which no mail
program threads by. It checks nothing, so every value of a header passes ``one_line`` here, or is ours.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email import charset, policy
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from urllib.parse import quote

from overheard.channels.email.page import MailPage
from overheard.channels.email.settings import Mailbox, MailSettings
from overheard.channels.email.wire_size import is_shorter_in_base64
from overheard.channels.rendering.safe_templates import LINK
from overheard.channels.rendering.sanitize import one_line
from overheard.notices import Notice

NAME_MAX_CHARS = 60
LIST_NAME_MAX_CHARS = 63  # of a part of a domain
ENCODED_WORD_MAX_CHARS = 65  # RFC 2047 allows 75; so the first one fits beside the header's name
# Headers are folded here, where they may be: a program that folds before a long address leaves an empty line.
WIRE = policy.compat32.clone(linesep="\r\n", max_line_length=None)
FOLD = "\n "
DEFAULT_NAME = "Overheard"  # of the sender, where the URL has none


def write_mail(notice: Notice, page: MailPage, settings: MailSettings, *, to: Mailbox, now: float) -> bytes:
    """Return the mail of a notice to one recipient, with CRLF."""
    mail = MIMEMultipart("alternative")
    del mail["MIME-Version"]
    for name, value in _headers(notice, page.subject, settings, to, now):
        mail[name] = _encoded(value)
    mail["MIME-Version"] = "1.0"
    mail.attach(text_part(page.text, "plain"))
    mail.attach(text_part(page.html, "html"))
    mail.set_boundary(f"=_{_digest(notice.id, page.subject)}")  # the same in every try, as the rest of the mail
    return mail.as_bytes(policy=WIRE)


def _headers(notice: Notice, subject: str, settings: MailSettings, to: Mailbox, now: float) -> list[tuple[str, str]]:
    list_name = _list_name(notice)
    headers = [
        ("From", _address(Mailbox(_sender_name(notice, settings), settings.sender.address))),
        ("To", _address(to)),
        *([("Cc", f",{FOLD}".join(map(_address, settings.cc)))] if settings.cc else ()),
        *([("Reply-To", f",{FOLD}".join(map(_address, settings.reply_to)))] if settings.reply_to else ()),
        ("Subject", subject),
        ("Date", format_datetime(datetime.fromtimestamp(now, UTC))),
        ("Message-ID", message_id(notice.id, settings.domain)),
    ]
    if root := thread_root(notice, settings.domain):
        headers += [("In-Reply-To", root), ("References", root)]
    headers.append(("List-Id", f"{list_name} <{list_name}.overheard.{settings.domain}>"))
    return headers + _unsubscribe(notice, settings) + [
        ("Auto-Submitted", "auto-generated"),
        ("Precedence", "list"),
        ("X-Auto-Response-Suppress", "All"),
        ("X-Overheard-Type", notice.type),
    ]  # fmt: skip


def message_id(id: str, domain: str) -> str:
    """Return a Message-ID that depends on nothing but the delivery and the sender's domain."""
    return f"<{re.sub(r'[^A-Za-z0-9._-]', '.', id)}@{domain}>"


def thread_root(notice: Notice, domain: str) -> str | None:
    """Return the Message-ID to which all mails about one thread refer. No mail has it: it only joins them.

    The item that begins a thread is the thread.
    """
    if notice.type != "mention.created":
        return None
    mention = notice.mentions[0]
    return f"<thread.{_digest(notice.workspace, mention.source, mention.thread or mention.item)}@{domain}>"


def _unsubscribe(notice: Notice, settings: MailSettings) -> list[tuple[str, str]]:
    mute = notice.links.mute
    if mute is not None and LINK.fullmatch(mute):
        one_click = [("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")] if mute.startswith("https:") else []
        return [("List-Unsubscribe", f"<{mute}>"), *one_click]
    if settings.reply_to:
        subject = quote(f"unsubscribe {_list_name(notice)}")
        return [("List-Unsubscribe", f"<mailto:{quote(settings.reply_to[0].address, safe='@')}?subject={subject}>")]
    return []


def _list_name(notice: Notice) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", notice.workspace[:LIST_NAME_MAX_CHARS]) or "alerts"


def _sender_name(notice: Notice, settings: MailSettings) -> str:
    name = settings.sender.name
    workspace = notice.name or notice.workspace
    return f"{name} · {workspace}" if name == DEFAULT_NAME and workspace else name


def _address(box: Mailbox) -> str:
    name = one_line(box.name, NAME_MAX_CHARS)
    # Not by formataddr, which makes one encoded word of it, however long.
    return formataddr((name, box.address)) if name.isascii() else f"{_encoded(name)} <{box.address}>"


def _encoded(value: str) -> str:
    """Return a header's value as ASCII; where it is not, in encoded words (RFC 2047), each of them short enough."""
    if value.isascii():
        return value
    return Header(value, "utf-8", maxlinelen=ENCODED_WORD_MAX_CHARS).encode(linesep="\n")


def text_part(text: str, subtype: str) -> MIMEText:
    """Return a part in the shorter of the two encodings that every server takes, with short lines."""
    encoding = charset.Charset("utf-8")
    encoding.body_encoding = charset.BASE64 if is_shorter_in_base64(text) else charset.QP
    return MIMEText(text, subtype, encoding)  # type: ignore[arg-type]  # it takes a Charset


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]
