"""Reading a stream until something has come: how much of it one page holds depends on the machine's load."""

from __future__ import annotations

import threading

import msgspec

from overheard.sources import Page, StreamConnection

NEVER = threading.Event()
PAGES_MAX = 30  # until an error


def read_until(connection: StreamConnection, item: str) -> Page:
    """Read pages until this item has come; return them as one page, without items that are gone later."""
    page = connection.read(NEVER)
    while item not in [found.id for found in page.items]:
        later = connection.read(NEVER)
        page = msgspec.structs.replace(
            later,
            items=tuple(found for found in page.items if found.id not in later.gone) + later.items,
            gone=page.gone + later.gone,
            gone_authors=page.gone_authors + later.gone_authors,
            gaps=page.gaps + later.gaps,
        )
    return page


def read_on(connection: StreamConnection) -> None:
    """Read pages until an error."""
    for _ in range(PAGES_MAX):
        connection.read(NEVER)
