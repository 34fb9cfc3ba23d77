"""Cut a long text down to what an excerpt of it can show, before its markup is read: that takes 20 ms for the longest.

For messages that show very many mentions.
"""

from __future__ import annotations

import msgspec

from overheard.notices import PublicMention

AROUND_CHARS = 2_000  # on each side of the first hit; several times what an excerpt shows, as markup is dropped


def near_hit(mention: PublicMention) -> PublicMention:
    """Return the mention with the part of a long body around its first hit, or its beginning."""
    if len(mention.body) <= 2 * AROUND_CHARS:
        return mention
    hits = [(start, end) for field, start, end in mention.shown_highlights if field == "body"]
    first = min(hits, default=(0, 0))[0]
    start = max(first - AROUND_CHARS, 0)
    end = start + 2 * AROUND_CHARS
    moved = [
        (field, left - start, right - start) if field == "body" else (field, left, right)
        for field, left, right in mention.highlights
        if field != "body" or start <= left < right <= end
    ]
    return msgspec.structs.replace(mention, body=mention.body[start:end], highlights=tuple(moved))
