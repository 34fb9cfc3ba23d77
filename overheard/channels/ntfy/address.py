"""Where an ntfy channel's URL leads: ``https://ntfy.sh/TOPIC`` as it is copied, or Apprise's forms.

ntfy://TOPIC                                    a topic of ntfy.sh
ntfys://[user:password@|token@]HOST/TOPIC/…     of a server of one's own; ntfy:// without TLS
"""

from __future__ import annotations

import base64
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

CLOUD = "ntfy.sh"
TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
TAG = re.compile(r"[\w+-]{1,40}")
MAX_TAGS = 5
KNOWN_OPTIONS = frozenset({"to", "priority", "tags", "xtags", "auth", "token", "mode", "image"})
PRIORITIES = {"1": 1, "mi": 1, "2": 2, "l": 2, "mo": 2, "3": 3, "n": 3, "d": 3, "4": 4, "h": 4, "5": 5, "ma": 5, "e": 5}


class NtfyAddress(NamedTuple):
    """``server``: the URL of a server of one's own, None for ntfy.sh. ``authorization``: the header, empty for none.

    ``priority``: 1 to 5, 0 for what the server does without one.
    """

    server: str | None
    topics: tuple[str, ...]
    authorization: str
    priority: int
    tags: tuple[str, ...]


def ntfy_address(url: str) -> NtfyAddress | None:
    """Return where the URL leads; None if it is not ntfy's, or has an option that only Apprise knows."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    copied = parts.scheme in ("http", "https") and host == CLOUD
    if parts.fragment or not (copied or parts.scheme in ("ntfy", "ntfys")):
        return None
    options = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
    topics = [topic for topic in (*map(unquote, parts.path.split("/")), *_listed(options.get("to"))) if topic]
    mode, server = options.get("mode", ""), parts.netloc.rpartition("@")[2]
    cloud = host == CLOUD and port in (None, 80, 443)
    if not cloud and (mode == "cloud" or (not topics and not mode)):  # ntfy://TOPIC, as it is written: case counts
        cloud, topics = True, [server, *topics]
    tags = _listed(options.get("xtags") or options.get("tags"))
    if not options.keys() <= KNOWN_OPTIONS or mode not in ("", "cloud", "private"):
        return None
    if not topics or not all(map(TOPIC.fullmatch, topics)) or not all(map(TAG.fullmatch, tags)) or len(tags) > MAX_TAGS:
        return None
    authorization, priority = _authorization(parts.username, parts.password, options), _priority(options)
    if authorization is None or priority is None:
        return None
    address = None if cloud else f"{'http' if parts.scheme == 'ntfy' else 'https'}://{server}/"
    return NtfyAddress(address, tuple(dict.fromkeys(topics)), authorization, priority, tuple(tags))


def _listed(option: str | None) -> list[str]:
    return [part for part in re.split(r"[\s,]+", option or "") if part]


def _authorization(user: str | None, password: str | None, options: dict[str, str]) -> str | None:
    """Return the header, empty for none; None for what only Apprise knows. A lone user tk_… is a token."""
    user, password = unquote(user or ""), unquote(password or "")
    token, auth = options.get("token", ""), options.get("auth", "").strip().lower()
    if not auth:
        auth = "token" if token or (user.lower().startswith("tk_") and not password) else "basic"
    if auth == "token":
        token = token or password or user
        return f"Bearer {token}" if re.fullmatch(r"[!-~]+", token) else None
    if auth != "basic" or token:
        return None
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""


def _priority(options: dict[str, str]) -> int | None:
    """Return the number, 0 if there is none; None for a word that is not known. Words may be abbreviated."""
    word = options.get("priority", "").lower()
    if not word:
        return 0
    return next((number for name, number in PRIORITIES.items() if word.startswith(name)), None)
