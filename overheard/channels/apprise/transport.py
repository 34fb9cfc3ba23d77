"""Send through Apprise: mail, Slack, Discord, Telegram and 130 more services (https://appriseit.com/services).

Apprise returns True or False and logs why; it follows redirects, retries and reads local files if a URL says so. Here
it makes one attempt, within a deadline, under the egress guard, with an HTTP client that leaks nothing of this machine
(``http``). The reason for a failure comes from the response's status and the connection's error
(``connection_errors``), never from Apprise's log lines, which may repeat what was sent. ``import apprise`` and its
services take 20 MB and half a second, so both wait for the first channel that needs them.

The notice's id (I4) is the Message-ID of a mail, and the header ``webhook-id`` for ``json://``, ``xml://`` and
``form://``; other services have no field for it.
"""

from __future__ import annotations

import functools
import sys
import warnings
import weakref
from typing import Any

from overheard.channels import ChannelOptions, Pace
from overheard.channels.apprise import mail, message
from overheard.channels.apprise.policy import check_service
from overheard.channels.chat_urls import chat_service, scheme_hint
from overheard.channels.preview import MessagePreview
from overheard.channels.redact import redact_in
from overheard.errors import DeliveryRefused, InvalidInput, RetryableError
from overheard.net.addresses import parse_address, why_refused
from overheard.net.deadline import Deadline
from overheard.net.egress import ALLOW_PRIVATE_HINT, CONNECT_SECONDS
from overheard.net.egress_audit import guarded
from overheard.net.http_target import BLOCKED_PORT_MESSAGE, is_blocked_port
from overheard.net.log_capture import captured
from overheard.notices import Notice

APP_NAME = "Overheard"
RECIPIENT_PAUSE_SECONDS = 0.5  # Apprise's own 5.5 s between a service's recipients would outlast every deadline


class AppriseTransport:
    """Sends to one Apprise URL. Threads may share it: each send builds a service of its own, as services keep state.

    Raises InvalidInput for a URL that Apprise or we refuse; its text does not show the URL, which is a secret.
    """

    kind = "apprise"
    signed = False
    pace: Pace | None = None

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        self._url = url
        self._options = options
        self._chat = chat_service(url)
        self._name = self._chat.name if self._chat else f"{url.partition(':')[0]}://"
        _apprise()  # loaded outside the guard, which is meant for services and not for imports
        with Deadline(options.timeout) as deadline, guarded(deadline, allow_private=options.allow_private) as guard:
            self.service()  # built and dropped: that is how Apprise validates a URL
        if guard.refusal is not None:
            raise InvalidInput(f"url: {guard.refusal}")

    def preview(self, notice: Notice) -> MessagePreview:
        """Return subject and text, and the page of a mail."""
        options = self._options
        with Deadline(options.timeout) as deadline, guarded(deadline, allow_private=options.allow_private):
            fitted = message.compose(self.service(), notice, options.clock())
        is_page = fitted.body_format == "html"
        text = fitted.text if is_page and fitted.text is not None else fitted.body
        return MessagePreview(f"{fitted.title}\n\n{text}", fitted.body if is_page else None)

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises RetryableError (with the requested delay), DeliveryRefused, or PermanentError."""
        options = self._options
        with (
            Deadline(options.timeout) as deadline,
            captured() as log,
            guarded(deadline, allow_private=options.allow_private) as guard,
        ):
            delivered = self._notify(notice)
        if guard.refusal is not None:
            raise guard.refusal
        # An attempt that was cut off has failed, even if the service saw a 200: a receiver that slow is broken.
        if deadline.passed or not delivered:
            cut = deadline.cut_reason and f"it {deadline.cut_reason}"
            problem = cut or redact_in(log.problem, self._url)
            reason = f"{self._name} not delivered: {problem or guard.reason or 'the service gave no reason'}"
            if guard.refused and not problem and guard.delay is None:
                raise DeliveryRefused(reason)
            raise RetryableError(reason, delay=guard.delay)

    def _notify(self, notice: Notice) -> bool:
        service = self.service()
        headers = getattr(service, "headers", None)
        if isinstance(headers, dict) and not mail.is_mail(service):
            headers["webhook-id"] = notice.id
        fitted = message.compose(service, notice, self._options.clock())
        bundle = _apprise().Apprise(asset=service.asset)
        bundle.add(service)
        with mail.mail_headers(notice.id, fitted.text):
            return bool(
                bundle.notify(title=fitted.title, body=fitted.body, body_format=fitted.body_format, notify_type="info")
            )

    def service(self) -> Any:
        """Return a new instance of Apprise's service, restricted to what is allowed. Raises InvalidInput."""
        with captured() as log:
            parsed = _apprise().plugins.url_to_dict(self._url)
            if parsed:
                module = _apprise().plugins.N_MGR[parsed["schema"]].__module__
                allow = self._options.allow_private
                check_service(self._name, module, parsed.get("qsd", {}), allow_private=allow)
            service = _apprise().Apprise.instantiate(self._url, asset=_asset()) if parsed else None
        if service is None and self._chat is not None:
            raise InvalidInput(f"url: not an address at which {self._chat.name} takes messages; use {self._chat.form}")
        if service is None:
            # Lines about the URL repeat it, in forms that cannot be redacted reliably.
            lines = [record.getMessage() for record in log.records]
            why = redact_in("; ".join(line for line in lines if "URL" not in line), self._url)
            raise InvalidInput(
                f"url: Apprise does not accept this {self._name} address{why and f' ({why})'}; "
                + scheme_hint(self._name.removesuffix("://").lower())
            )
        self._check_host(service)
        return self._restricted(service)

    def _restricted(self, service: Any) -> Any:
        """Override what options in the URL may have set: how to send is not for the URL's author to decide."""
        service.redirects = False  # they lead past what was configured
        service.retry, service.optional = 0, False  # the notify stage retries, and has to see a failure
        service.request_rate_per_sec = min(service.request_rate_per_sec, RECIPIENT_PAUSE_SECONDS)
        service.throttle = functools.partial(_throttle, weakref.proxy(service))  # a cycle would delay its log-out
        service.socket_connect_timeout = min(CONNECT_SECONDS, self._options.timeout)
        service.socket_read_timeout = self._options.timeout
        service.overflow_mode = _apprise().OverflowMode.UPSTREAM  # what we send fits already (``message``)
        if mail.is_mail(service):
            service.body_maxlen = mail.MAX_PAGE_CHARS
        return service

    def _check_host(self, service: Any) -> None:
        if self._options.allow_private:
            return
        uses_http = hasattr(sys.modules[type(service).__module__], "requests")
        if service.port is not None and is_blocked_port(service.port) and uses_http:
            raise InvalidInput(f"url: {BLOCKED_PORT_MESSAGE.format(service.port)}")
        if not any("{host}" in template for template in service.templates):
            return  # a service without a host in its URL has a token or a number in that place
        host = str(service.host or "")
        address = parse_address(host)
        why = why_refused(address) if address is not None else None
        if why is not None:
            raise InvalidInput(f"url: points at {host} ({why}); {ALLOW_PRIVATE_HINT}")


def url_options(url: str) -> dict[str, str] | None:
    """Return the options in a URL, as Apprise itself parses them; None if it does not accept the URL."""
    with captured():
        parsed = _apprise().plugins.url_to_dict(url)
    return dict(parsed["qsd"]) if parsed else None


def _throttle(service: Any, last_io: Any = None, wait: float | None = None) -> None:
    """Pause between requests, but not for ``wait``: the receiver chose it, and it may be days (``http`` records it)."""
    service.__class__.throttle(service, last_io)


def _asset() -> Any:
    # service_timeout 0: send in this thread, where the guard sees it. Our deadline ends it instead.
    return _apprise().AppriseAsset(
        app_id=APP_NAME,
        app_desc=APP_NAME,
        app_url="",
        image_url_mask="",
        service_timeout=0,
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        storage_mode="memory",
    )


@functools.cache
def _apprise() -> Any:
    # Apprise's PGP support imports a module that Python deprecates, which an operator cannot change.
    warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
    import apprise

    from overheard.channels.apprise import http

    apprise.Apprise.instantiate("json://localhost")  # loads all services
    http.install()
    mail.install()
    return apprise
