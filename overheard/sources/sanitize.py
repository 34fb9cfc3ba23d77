"""Make texts from outside safe to store and to send. Pure."""

from __future__ import annotations

TEXT_MAX_CHARS = 100_000  # above every source's own limit: Reddit allows 40,000 in a post, 10,000 in a comment


WEB_SCHEMES = ("https://", "http://")


def sanitized(text: str) -> str:
    """Return a text that every database and encoder accepts: no NUL, no lone surrogates, at most TEXT_MAX_CHARS."""
    text = text[:TEXT_MAX_CHARS].replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def web_address(text: str) -> str:
    """Return an address that may be shown as a link; empty for anything else, such as a script."""
    address = sanitized(text).strip()
    return address if address.lower().startswith(WEB_SCHEMES) and address.isprintable() else ""
