"""Name a place in a message."""

from __future__ import annotations

from overheard.sources.registry import place_label


def shown_place(source: str, place: str) -> str:
    """Return a place as users write it; of a feed, its address without the scheme, which chats would make a link."""
    return place_label(source, place).removeprefix("https://").removeprefix("http://")
