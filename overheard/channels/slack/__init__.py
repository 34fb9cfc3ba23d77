"""Send to Slack, as blocks: through an incoming webhook, or as a bot (chat.postMessage).

Slack has no field for a message's id (I4): a repeat after an answer that was lost is shown twice. A proxy that the
operator puts before it can tell by the header ``webhook-id``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from overheard.channels import ChannelOptions, Pace
from overheard.channels.chat_urls import SLACK_FORM
from overheard.channels.http import HttpAnswer, post, post_to_service
from overheard.channels.preview import MessagePreview
from overheard.channels.redact import fingerprint
from overheard.channels.slack.address import slack_address
from overheard.channels.slack.answers import raise_for_api_answer, raise_for_webhook_answer
from overheard.channels.slack.blocks import slack_message
from overheard.channels.slack.preview import preview_text
from overheard.errors import InvalidInput
from overheard.net.http_target import parse_target
from overheard.notices import Notice

# One a second for each webhook, and for each channel of a bot; less, as the network makes some gaps shorter.
PER_MINUTE = 50


class SlackTransport:
    """Sends to one Slack channel. Raises InvalidInput for a URL that is not its own."""

    kind = "slack"
    signed = False

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        address = slack_address(url)
        if address is None:
            raise InvalidInput(f"url: not an address at which Slack takes messages; use {SLACK_FORM}")
        self._address = address
        self._options = options
        key = fingerprint(f"{address.path} {address.token} {address.channel}")
        self.pace: Pace | None = Pace(f"slack:{key}", PER_MINUTE, 1)

    @staticmethod
    def takes(url: str) -> bool:
        """Return True for a webhook or a bot's channel, with options that we know."""
        return slack_address(url) is not None

    def preview(self, notice: Notice) -> MessagePreview:
        """Return the message's text."""
        return MessagePreview(preview_text(slack_message(notice, self._options.clock())))

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises RetryableError (with the requested delay), DeliveryRefused, or PermanentError."""
        address, now = self._address, self._options.clock()
        message = slack_message(notice, now)
        content: dict[str, Any] = {
            "text": message.text,
            "blocks": message.blocks,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        named = {"channel": address.channel, "thread_ts": address.thread, "username": address.username}
        headers = {"Content-Type": "application/json; charset=utf-8", "webhook-id": notice.id}
        content |= {name: value for name, value in named.items() if value}
        if address.token:
            headers |= {"Authorization": f"Bearer {address.token}"}
            answer = self._post("slack api", content | {"parse": "none"}, headers)
            raise_for_api_answer(answer, now=now)
        else:
            raise_for_webhook_answer(self._post("slack", content, headers), now=now)

    def _post(self, service: str, content: dict[str, Any], headers: dict[str, str]) -> HttpAnswer:
        address, body = self._address, msgspec.json.encode(content)
        if address.host:
            target = parse_target(f"https://{address.host}{address.path}", allow_private=False)
            return post(target, body, headers, self._options)
        return post_to_service(service, address.path, body, headers, self._options)
