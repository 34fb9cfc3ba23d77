"""Text from outside, made fit to store."""

from __future__ import annotations

import re

# PostgreSQL cannot store NUL; neither database can store half a surrogate pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace each character that cannot be stored by one other: offsets of highlights stay right."""
    return UNSTORABLE.sub("�", text)
