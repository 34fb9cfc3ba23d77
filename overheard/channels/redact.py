"""Channel URLs are secrets: Apprise's contain tokens anywhere, webhooks' in their path."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
# Shorter parts of a URL are ports, flags and words: removing them would blank out half of a sentence. Chosen, not
# measured; tokens and passwords of services are far longer, and a short password is removed as a word of its own.
SCRUB_MIN_CHARS = 4

PASSWORD = re.compile(r"://[^/?#]*?:([^/?#]+)@")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")


def redact(url: str) -> str:
    """Return what may be shown of a channel's URL: ``https://host/***``, ``slack://***``."""
    scheme, colon, _ = url.partition("://")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return HIDDEN
    scheme = scheme.lower()
    # A host is shown only if every parser agrees on where it ends; after a backslash or a space some read on.
    if scheme in ("http", "https") and not re.search(r"[\\\s]", url):
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        if re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", host):
            name = f"[{host}]" if ":" in host else host
            return f"{scheme}://{name}{f':{port}' if port else ''}/{HIDDEN}"
    return f"{scheme}://{HIDDEN}"


def fingerprint(secret: str) -> str:
    """Return what tells one secret from another without showing it, for keys that are stored."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()[:16]


def redact_in(text: str, url: str) -> str:
    """Return ``text`` without any part of ``url``, and with every other URL redacted."""
    text = URL.sub(lambda match: redact(match.group()), text)
    for password in PASSWORD.findall(url):  # even a short one, as a word of its own
        text = re.sub(rf"(?<!\w){re.escape(unquote(password))}(?!\w)", HIDDEN, text)
    rest = url.partition("://")[2]
    parts = {part for form in (rest, unquote(rest)) for part in re.split(r"[/?&=:@,#\s]+", form)}
    for part in sorted(parts, key=len, reverse=True):  # a part may contain another one
        if len(part) >= SCRUB_MIN_CHARS:
            text = re.sub(re.escape(part), HIDDEN, text, flags=re.IGNORECASE)
    return " ".join(text.split())
