"""Take apart the URLs of chat services: those copied from the service, and Apprise's."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

APPRISE_URL = re.compile(
    r"(?P<scheme>[a-z0-9+.-]+)://(?:(?P<user>[^/@?#]*)@)?(?P<path>[^?]*)(?:\?(?P<query>.*))?", re.I
)
# Options of Apprise's that choose its look. Our messages have their own, so these change nothing.
LOOK_OPTIONS = frozenset({"format", "overflow", "image", "footer", "footer_logo", "avatar", "fields", "timestamp"})


class AppriseParts(NamedTuple):
    """``path`` has the parts between slashes, decoded, a ``#`` at their beginning included; option names are small."""

    scheme: str
    user: str
    path: tuple[str, ...]
    options: dict[str, str]


def apprise_parts(url: str, known: Collection[str]) -> AppriseParts | None:
    """Return the parts of an Apprise URL; None if it has an option that is neither ``known`` nor only a look."""
    match = APPRISE_URL.fullmatch(url.strip())
    if match is None:
        return None
    options = {name.lower(): value for name, value in parse_qsl(match["query"] or "", keep_blank_values=True)}
    if not options.keys() <= LOOK_OPTIONS | set(known):
        return None
    path = tuple(unquote(part) for part in match["path"].split("/") if part)
    return AppriseParts(match["scheme"].lower(), unquote(match["user"] or ""), path, options)
