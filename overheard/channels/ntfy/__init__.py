"""Send to ntfy, as JSON, which takes any Unicode.

The notice's id (I4) is ntfy's ``sequence_id``: since ntfy 2.16 a repeat replaces the first message on the phone.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from overheard.channels import ChannelOptions, Pace
from overheard.channels.http import HttpAnswer, post, post_to_service
from overheard.channels.ntfy.address import CLOUD, ntfy_address
from overheard.channels.ntfy.message import ntfy_message
from overheard.channels.preview import MessagePreview
from overheard.channels.recipient_memory import RecipientMemory
from overheard.channels.recipients import send_to_each
from overheard.channels.redact import fingerprint
from overheard.channels.rendering.sanitize import ZERO_WIDTH
from overheard.channels.responses import raise_for_status, requested_delay
from overheard.errors import InvalidInput
from overheard.net.http_target import HttpTarget, parse_target
from overheard.notices import Notice

# https://docs.ntfy.sh/publish/#limitations: 60 at once, then one every five seconds. A server of one's own has the same
# limits unless its operator changes them.
PER_MINUTE, BURST = 12.0, 60
TOO_LARGE = "it takes less than the 4 kB that are usual; on a server of your own, raise message-size-limit"
_memory = RecipientMemory()  # of the process: a transport lives for one round only


class NtfyTransport:
    """Sends to one or several topics of a server.

    Raises InvalidInput for a URL that is not its own, and for a private address; its text does not show the URL.
    """

    kind = "ntfy"
    signed = False

    def __init__(
        self, url: str, secret: str | None, options: ChannelOptions, *, memory: RecipientMemory = _memory
    ) -> None:
        address = ntfy_address(url)
        if address is None:
            raise InvalidInput("url: not a topic; write https://ntfy.sh/TOPIC or ntfys://HOST/TOPIC")
        self._address = address
        self._options = options
        self._memory = memory
        self._target: HttpTarget | None = None
        if address.server is not None:
            self._target = parse_target(address.server, allow_private=options.allow_private)
        # The service counts by user, and without one by our address.
        self.pace: Pace | None = Pace(
            f"ntfy:{fingerprint(f'{address.server} {address.authorization}')}", PER_MINUTE, BURST
        )

    @staticmethod
    def takes(url: str) -> bool:
        """Return True for an address with a topic, and without an option that only Apprise knows."""
        return ntfy_address(url) is not None

    def preview(self, notice: Notice) -> MessagePreview:
        """Return the title, the address that a click opens, and the text in Markdown."""
        message = ntfy_message(notice, self._options.clock())
        text = "\n".join(filter(None, (message["title"], message.get("click"), "", message["message"])))
        return MessagePreview(text.replace(ZERO_WIDTH, ""))

    def send(self, notice: Notice) -> None:
        """Deliver once to each topic. Raises RetryableError (with the requested delay), PermanentError, ChannelGone."""
        message = ntfy_message(notice, self._options.clock())
        message["tags"] += self._address.tags
        if self._address.priority:
            message["priority"] = self._address.priority
        send_to_each(
            {fingerprint(f"{self._address.server} {topic}"): topic for topic in self._address.topics},
            lambda topic: self._send(msgspec.json.encode({"topic": topic, **message})),
            delivery=notice.id,
            memory=self._memory,
            now=self._options.clock(),
        )

    def _send(self, body: bytes) -> None:
        answer, now = self._post(body), self._options.clock()
        host = self._target.host if self._target is not None else CLOUD
        delay = requested_delay(answer.retry_after, answer.body, now=now)
        why = TOO_LARGE if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else ""
        raise_for_status(host, answer.status, None if delay is None else str(delay), now=now, why=why)

    def _post(self, body: bytes) -> HttpAnswer:
        headers = {"Content-Type": "application/json"}
        if self._address.authorization:
            headers["Authorization"] = self._address.authorization
        if self._target is None:
            return post_to_service("ntfy", "/", body, headers, self._options)
        return post(self._target, body, headers, self._options)
