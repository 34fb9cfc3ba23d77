"""Places as their sources write them."""

from __future__ import annotations

from contextlib import suppress

from overheard.errors import InvalidInput
from overheard.sources.registry import SOURCES
from overheard.sources.source_type import check_any_place
from overheard.workspaces.pasted_sites import PLACES_ARE_ADDRESSES
from overheard.workspaces.pasted_urls import place_from


def canonical_place(source: str, text: str) -> str:
    """Return a place as its source writes it; an address from a browser may stand for one. Raises InvalidInput."""
    check = SOURCES[source].check_place
    if check is check_any_place:  # an address is a place as any other text: of what was recorded of a feed
        return check(text)
    # A name is what it says; but a host may be a place of some sources, and a page of another at the same time.
    if "://" not in text and source not in PLACES_ARE_ADDRESSES:
        with suppress(InvalidInput):
            return check(text)
    return check(place_from(source, text))
