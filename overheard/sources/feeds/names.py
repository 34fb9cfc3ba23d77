"""The places of feeds: URLs. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from overheard.errors import InvalidInput
from overheard.net.http_target import parse_target
from overheard.sources.feeds.masking import HIDDEN, masked

SOURCE = "feeds"
URL_MAX_CHARS = 2000
ITEM_ID = re.compile(r"[0-9a-f]{32}")
ITEM_ID_WORDS = "the 32 hexadecimal digits that `overheard mentions --format json` shows as item"


def check_place(text: str) -> str:
    """Return a feed's URL with its scheme and host in lower case. Raises InvalidInput, whose text shows no secret.

    Whether the address is public is checked when it is requested, as only the operator can permit private ones.
    """
    url = text.strip()
    if len(url) > URL_MAX_CHARS:
        raise InvalidInput(f"a URL of {len(url):,} characters; {URL_MAX_CHARS:,} are allowed")
    if HIDDEN in url:
        raise InvalidInput(
            f"{public_place(url)!r}: its secret was left out when it was exported ({HIDDEN}); export it again with "
            "`overheard export --secrets`, or write the URL in"
        )
    if "://" not in url:
        raise InvalidInput("a feed's place is its URL, such as https://example.org/feed.xml")
    try:
        url.encode()
        parse_target(url, allow_private=True)
    except (InvalidInput, UnicodeEncodeError) as error:
        reason = str(error) if isinstance(error, InvalidInput) else "url: has half of a surrogate pair"
        raise InvalidInput(f"{public_place(url)!r}: {reason}") from None
    parts = urlsplit(url)
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower(), path=parts.path or "/").geturl()


def public_place(place: str) -> str:
    """Return what may be shown of a place: its URL without what looks like a secret. Applying it twice is harmless."""
    return place if "://" not in place or HIDDEN in place else masked(place)
