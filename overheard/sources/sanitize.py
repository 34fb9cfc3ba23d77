"""Texts from outside, made fit to be kept and sent on. Pure."""

from __future__ import annotations

TEXT_MAX_CHARS = 100_000  # no source's own limit is as high; Reddit's are 40,000 for a post and 10,000 for a comment


def sanitized(text: str) -> str:
    """Return a text that every database and encoder takes: no NUL, no half of a surrogate pair, not endless."""
    text = text[:TEXT_MAX_CHARS].replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
