"""The stable Message-ID of our mails.

Apprise makes a random one and has no way to be given another (a header of that name would be the second one in the
mail, which servers refuse). So the function that makes it, a name in Apprise's mail module, is replaced by one that
asks us first. The contract test reads the Message-ID from a real SMTP server and fails if an Apprise release moves
that name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import make_msgid
from typing import Any

MODULE = "apprise.plugins.email.base"

_current: ContextVar[str | None] = ContextVar("overheard_message_id", default=None)


@contextmanager
def message_id(id: str) -> Iterator[None]:
    """Mails sent inside carry ``id`` as the left side of their Message-ID."""
    _install()
    token = _current.set(re.sub(r"[^A-Za-z0-9._-]", ".", id))
    try:
        yield
    finally:
        _current.reset(token)


def is_mail(service: object) -> bool:
    return type(service).__module__ == MODULE


def _install() -> None:
    module: Any = sys.modules.get(MODULE)
    if getattr(module, "make_msgid", None) is make_msgid:
        module.make_msgid = _make


def _make(idstring: str | None = None, domain: str | None = None) -> str:
    id = _current.get()
    if id is None:
        return make_msgid(idstring, domain)
    # RFC 5322 §3.6.4 wants a host on the right; the address itself must not depend on this machine's name.
    return f"<{id}@{re.sub(r'[^A-Za-z0-9.-]', '', domain or '') or 'overheard.invalid'}>"
