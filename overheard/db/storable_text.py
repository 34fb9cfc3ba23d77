"""Text from outside, made fit to store."""

from __future__ import annotations

import re

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL stores no NUL; neither database, half a surrogate pair


def storable(text: str) -> str:
    """``text`` with a replacement character for each that cannot be stored: highlights keep their places."""
    return UNSTORABLE.sub("�", text)
