"""Text from outside, made fit to store."""

from __future__ import annotations

import re

import msgspec

from overheard.items import Item

# PostgreSQL cannot store NUL; neither database can store half a surrogate pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace each character that cannot be stored by one other: offsets of highlights stay right."""
    return UNSTORABLE.sub("�", text)


def texts_column(item: Item) -> str:
    """Return the further texts of an item as they are stored: JSON."""
    return storable(msgspec.json.encode(item.texts).decode())
