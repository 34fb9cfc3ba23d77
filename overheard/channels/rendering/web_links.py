"""Write a stranger's link so that no medium can read anything else into it than a web address."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

import idna

HOST = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?")
# What may stand in a path as it is. Quotes, brackets, white space, `|`, `\` and ``*`` mean something in HTML, Markdown
# or Slack's markup, so they are encoded, which does not change where the link leads.
SAFE = "/._~%-?=&+:@#!$,;"
LINK_MAX_CHARS = 2000  # of an address that every browser and service takes


def web_link(url: str) -> str | None:
    """Return the same address in ASCII, without characters of markup; None if it is not one of the web.

    None, too, for one with a user name before its host, which could pretend to be the host.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except ValueError:  # idna.IDNAError is one
        return None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not HOST.fullmatch(host):
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    path += f"#{parts.fragment}" if parts.fragment else ""
    link = f"{parts.scheme}://{host}{f':{port}' if port else ''}{quote(path, safe=SAFE, errors='replace')}"
    return link if len(link) <= LINK_MAX_CHARS else None
