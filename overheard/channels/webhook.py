"""Send signed webhooks (Standard Webhooks 1.0) to http:// and https:// addresses. ``responses`` maps the results."""

from __future__ import annotations

import ssl

from overheard.channels import ChannelOptions, Pace, signing
from overheard.channels.http import post
from overheard.channels.preview import MessagePreview, json_preview
from overheard.channels.rendering.payload import body_of
from overheard.channels.responses import raise_for_status
from overheard.errors import InvalidInput
from overheard.net import egress
from overheard.net.http_target import parse_target
from overheard.notices import Notice


class WebhookTransport:
    """Sends to one receiver. Holds no connection, so threads may share it. ``secret``: one, or two during rotation.

    Raises InvalidInput for an unusable URL or secret; its text shows neither.
    """

    kind = "webhook"
    signed = True
    pace: Pace | None = None

    def __init__(
        self,
        url: str,
        secret: str | None,
        options: ChannelOptions,
        *,
        resolve: egress.Resolve = egress.resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if secret is None:
            raise InvalidInput("secret: a webhook needs one to sign with; make it with new_secret()")
        self._target = parse_target(url, allow_private=options.allow_private)
        self._keys = signing.keys_of(secret)
        self._options = options
        self._resolve = resolve
        self._tls = tls

    def preview(self, notice: Notice) -> MessagePreview:
        """Return the body; the headers sign it."""
        return json_preview(body_of(notice, now=self._options.clock()))

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises RetryableError, ChannelGone, or PermanentError (413; EgressRefused)."""
        clock = self._options.clock
        body = body_of(notice, now=clock())
        headers = {
            "Content-Type": "application/json",
            # Fresh on each attempt: receivers that check for replays refuse an old timestamp. The id stays the same.
            **signing.headers(self._keys, id=notice.id, timestamp=int(clock()), body=body),
        }
        answer = post(self._target, body, headers, self._options, resolve=self._resolve, tls=self._tls)
        raise_for_status(self._target.host, answer.status, answer.retry_after, now=clock())
