"""Make texts and times from outside safe to store and to send. Pure."""

from __future__ import annotations

import re

MAX_EPOCH_SECONDS = 253_402_300_800.0  # the year 10000, which neither databases nor datetime can store
TEXT_MAX_CHARS = 100_000  # above every source's own limit: Reddit allows 40,000 in a post, 10,000 in a comment
WEB_SCHEMES = ("https://", "http://")
LANGUAGE_MAX_CHARS = 35  # BCP 47 recommends room for so many
LANGUAGE_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")
NO_LANGUAGE = ("und", "mul", "zxx", "mis")  # unknown, several, none, without a code


def sanitized(text: str) -> str:
    """Return a text that every database and encoder accepts: no NUL, no lone surrogates, at most TEXT_MAX_CHARS."""
    text = text[:TEXT_MAX_CHARS].replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def is_storable_time(seconds: float) -> bool:
    """Return True for a time since the epoch that databases and ``datetime`` can store; False for NaN, too."""
    return 0 < seconds < MAX_EPOCH_SECONDS


def web_address(text: str | None, max_chars: int = TEXT_MAX_CHARS) -> str:
    """Return an address that may be shown as a link; empty for anything else, such as a script, or one too long."""
    address = sanitized(text or "").strip()
    valid = len(text or "") <= max_chars and address.lower().startswith(WEB_SCHEMES) and address.isprintable()
    return address if valid else ""


def language_tag(text: object) -> str:
    """Return a language tag (BCP 47) in lower case; empty if it is not one, or names no language."""
    if not isinstance(text, str) or len(text) > 2 * LANGUAGE_MAX_CHARS:
        return ""
    tag = text.strip().replace("_", "-").lower()
    known = len(tag) <= LANGUAGE_MAX_CHARS and LANGUAGE_TAG.fullmatch(tag) and tag.partition("-")[0] not in NO_LANGUAGE
    return tag if known else ""
