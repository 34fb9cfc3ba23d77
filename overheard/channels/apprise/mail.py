"""Give mails a stable Message-ID and a text part of our own.

Apprise makes a random Message-ID and accepts no other (a header of that name would be the second one in the mail, which
servers refuse). Its text part is the page without its tags, so the links are gone. So the functions that make both are
replaced (``patching``) by ones that use our values during a send. The contract test reads both from a real SMTP server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import make_msgid
from typing import Any

from overheard.channels.apprise.patching import replace_name

MAX_PAGE_CHARS = 80_000  # Gmail hides what comes after 102 KB, and a character may take several bytes
MODULE = "apprise.plugins.email.base"

# The left side of the Message-ID, and the text part, for the mails that this thread is sending.
_mail: ContextVar[tuple[str | None, str | None]] = ContextVar("overheard_mail", default=(None, None))


@contextmanager
def mail_headers(id: str, text: str | None) -> Iterator[None]:
    """Send mails in this block with ``id`` as the left side of their Message-ID, and ``text`` beside their HTML."""
    token = _mail.set((re.sub(r"[^A-Za-z0-9._-]", ".", id), text))
    try:
        yield
    finally:
        _mail.reset(token)


def is_mail(service: object) -> bool:
    """Return True for Apprise's mail service, whatever the provider."""
    return type(service).__module__ == MODULE


def install() -> None:
    """Replace Apprise's own functions; call this once its services have been loaded."""
    from apprise import conversion

    convert_between: Any = conversion.convert_between

    def convert(source: Any, target: Any, content: str, *arguments: Any, **options: Any) -> str:
        _, text = _mail.get()
        if text is not None and (source, target) == ("html", "text"):
            return text
        return str(convert_between(source, target, content, *arguments, **options))

    replace_name("make_msgid", make_msgid, _message_id)
    replace_name("convert_between", convert_between, convert)


def _message_id(idstring: str | None = None, domain: str | None = None) -> str:
    id, _ = _mail.get()
    if id is None:
        return make_msgid(idstring, domain)
    # RFC 5322 §3.6.4 requires a host on the right. It must not depend on this machine's name: a retry from another one
    # would then have another id.
    return f"<{id}@{re.sub(r'[^A-Za-z0-9.-]', '', domain or '') or 'overheard.invalid'}>"
