"""What a workspace file limits a query to, beside its text."""

from __future__ import annotations

import msgspec

from overheard.items import FeedKind


class QueryScope(msgspec.Struct, frozen=True, omit_defaults=True):
    """The places, sources and kinds of items (``posts``, ``comments``) that a query is limited to; () means any."""

    places: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kinds: tuple[FeedKind, ...] = ()
