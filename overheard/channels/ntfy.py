"""Send to ntfy: ``https://ntfy.sh/TOPIC`` as it is copied, or ``ntfy://`` and ``ntfys://HOST/TOPIC``, as in Apprise.

Messages are published as JSON, which takes any Unicode. The notice's id (I4) is ntfy's ``sequence_id``: since its
version 2.16 a repeat replaces the first message.
"""

from __future__ import annotations

import base64
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from overheard.channels import ChannelOptions, Pace
from overheard.channels.http import HttpAnswer, post, post_to_service
from overheard.channels.recipients import send_to_each
from overheard.channels.redact import fingerprint
from overheard.channels.rendering.ntfy_markdown import ntfy_markdown
from overheard.channels.rendering.outline import Outline, fitting
from overheard.channels.rendering.sanitize import one_line
from overheard.channels.responses import raise_for_status, requested_delay
from overheard.net.http_target import HttpTarget, parse_target
from overheard.notices import Notice, NoticeLinks

CLOUD = "ntfy.sh"
TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
OPTIONS = frozenset({"to", "priority", "tags", "xtags", "auth", "token", "mode", "image"})
PRIORITIES = {"1": 1, "mi": 1, "2": 2, "l": 2, "mo": 2, "3": 3, "n": 3, "d": 3, "4": 4, "h": 4, "5": 5, "ma": 5, "e": 5}
MESSAGE_MAX_BYTES = 4096  # longer ones become a file that nobody opens
JSON_MAX_BYTES = 2 * MESSAGE_MAX_BYTES  # of the whole request
TITLE_MAX_CHARS = 200
# https://docs.ntfy.sh/publish/#limitations: 60 at once, then one every five seconds. A server of one's own has the same
# limits unless its operator changes them.
PER_MINUTE, BURST = 12.0, 60

# Shown as emoji before the title.
TAGS = {
    "mention.created": "speech_balloon",
    "mentions.summary": "card_index_dividers",
    "digest": "newspaper",
    "workspace.report": "information_source",
    "alert": "warning",
}
BUTTONS = {"useful": "Useful", "noise": "Noise", "mute": "Mute"}  # ntfy shows three; a click opens the item


class NtfyUrl(NamedTuple):
    """A channel's URL, taken apart. ``server``: None for ntfy.sh; ``authorization``: the header, empty for none."""

    server: str | None
    topics: tuple[str, ...]
    authorization: str
    priority: int
    tags: tuple[str, ...]


class NtfyTransport:
    """Sends to one or several topics of a server. ``registry`` gives it only URLs that it ``takes``.

    Raises InvalidInput for a server with a private address; its text does not show the URL.
    """

    kind = "ntfy"
    signed = False

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        parsed = _parse(url)
        assert parsed is not None
        self._url = parsed
        self._options = options
        self._target: HttpTarget | None = None
        if parsed.server is not None:
            self._target = parse_target(parsed.server, allow_private=options.allow_private)
        # ntfy counts by user, and without one by our address.
        self.pace: Pace | None = Pace(f"ntfy:{fingerprint(f'{parsed.server} {parsed.authorization}')}", PER_MINUTE, BURST)

    @staticmethod
    def takes(url: str) -> bool:
        """Return True for an address with a topic, and without an option that only Apprise knows."""
        return _parse(url) is not None

    def send(self, notice: Notice) -> None:
        """Deliver once to each topic. Raises RetryableError (with the requested delay), PermanentError, ChannelGone."""
        outline = fitting(notice, self._options.clock(), lambda outline: self._fits(notice, outline))
        send_to_each(self._url.topics, lambda topic: self._send(self._body(notice, outline, topic)))

    def _fits(self, notice: Notice, outline: Outline) -> bool:
        longest = max(self._url.topics, key=len)
        message = len(ntfy_markdown(outline).encode())
        return message <= MESSAGE_MAX_BYTES and len(self._body(notice, outline, longest)) <= JSON_MAX_BYTES

    def _body(self, notice: Notice, outline: Outline, topic: str) -> bytes:
        click = outline.link or notice.links.open
        optional = {
            "click": click,
            "actions": _actions(notice.links),
            "priority": self._url.priority,
        }
        message: dict[str, Any] = {
            "topic": topic,
            "title": one_line("".join(run.text for run in outline.title), TITLE_MAX_CHARS),
            "message": ntfy_markdown(outline),
            "markdown": True,
            "tags": [TAGS[notice.type], *self._url.tags],
            "sequence_id": notice.id,
            **{name: value for name, value in optional.items() if value},
        }
        return msgspec.json.encode(message)

    def _send(self, body: bytes) -> None:
        answer = self._post(body)
        now = self._options.clock()
        host = self._target.host if self._target is not None else CLOUD
        delay = requested_delay(answer.retry_after, answer.body, now=now)
        raise_for_status(host, answer.status, None if delay is None else str(delay), now=now)

    def _post(self, body: bytes) -> HttpAnswer:
        headers = {"Content-Type": "application/json"}
        if self._url.authorization:
            headers["Authorization"] = self._url.authorization
        if self._target is None:
            return post_to_service("ntfy", "/", body, headers, self._options)
        return post(self._target, body, headers, self._options)


def _parse(url: str) -> NtfyUrl | None:
    """Return the parts of an address, None for one that is not ntfy's or that only Apprise knows."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    copied = parts.scheme in ("http", "https") and host == CLOUD
    if parts.fragment or not (copied or parts.scheme in ("ntfy", "ntfys")):
        return None
    options = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
    topics = [*map(unquote, parts.path.split("/")), *re.split(r"[\s,]+", options.get("to", ""))]
    topics = [topic for topic in topics if topic]
    mode, server = options.get("mode", ""), parts.netloc.rpartition("@")[2]
    cloud = host == CLOUD and port in (None, 80, 443)
    if not cloud and (mode == "cloud" or (not topics and not mode)):  # ntfy://TOPIC, as it is written: case counts
        cloud, topics = True, [server, *topics]
    authorization, priority = _authorization(parts.username, parts.password, options), _priority(options)
    if not topics or not all(map(TOPIC.fullmatch, topics)) or authorization is None or priority is None:
        return None
    if not options.keys() <= OPTIONS or mode not in ("", "cloud", "private"):
        return None
    scheme = "http" if parts.scheme == "ntfy" else "https"
    tags = re.split(r"[\s,]+", options.get("xtags") or options.get("tags") or "")
    address = None if cloud else f"{scheme}://{server}/"
    return NtfyUrl(address, tuple(dict.fromkeys(topics)), authorization, priority, tuple(filter(None, tags)))


def _authorization(user: str | None, password: str | None, options: dict[str, str]) -> str | None:
    """Return the header, empty for none; None for what only Apprise knows. A lone user tk_… is a token."""
    user, password = unquote(user or ""), unquote(password or "")
    token = options.get("token", "")
    auth = options.get("auth", "").strip().lower()
    if not auth:
        auth = "token" if token or (user.lower().startswith("tk_") and not password) else "basic"
    if auth == "token":
        token = token or password or user
        return f"Bearer {token}" if re.fullmatch(r"[!-~]+", token) else None
    if auth != "basic" or token:
        return None
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""


def _priority(options: dict[str, str]) -> int | None:
    """Return the number, 0 for the server's own; None for a word that is not known. Words may be abbreviated."""
    word = options.get("priority", "").lower()
    if not word:
        return 0
    return next((number for name, number in PRIORITIES.items() if word.startswith(name)), None)


def _actions(links: NoticeLinks) -> list[dict[str, str]]:
    return [
        {"action": "view", "label": label, "url": link}
        for name, label in BUTTONS.items()
        if (link := getattr(links, name)) is not None
    ]
