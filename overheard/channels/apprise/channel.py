"""Any service that Apprise speaks to: mail, Slack, Discord, Telegram and 130 more (https://appriseit.com/services).

Apprise answers True or False and logs why, follows redirects, retries and reads local files when a URL says so. Here it
does one try, within a deadline, under the egress guard, with an HTTP that takes nothing from this machine along
(``http``). Why it failed is told by the answer's status and the error at hand (``apprise_words``), never by
Apprise's own lines, which may repeat what was sent. ``import apprise`` and its services take 20 MB and half a second,
so both wait for the first channel that needs them.

The notice's id (I4): mail carries it as Message-ID, ``json://``, ``xml://`` and ``form://`` as the header
``webhook-id``; other services have no field for it.
"""

from __future__ import annotations

import functools
import sys
import warnings
import weakref
from typing import Any

from overheard.channels import ChannelOptions
from overheard.channels.apprise import mail, message
from overheard.channels.apprise.policy import check_service
from overheard.channels.chat_urls import chat_service
from overheard.channels.log_capture import captured
from overheard.channels.redact import redact_in
from overheard.channels.webhook_url import BLOCKED_PORT_MESSAGE, is_blocked_port
from overheard.errors import DeliveryRefused, InvalidInput, RetryableError
from overheard.net.addresses import parse_address, why_refused
from overheard.net.deadline import Deadline
from overheard.net.egress import ALLOW_PRIVATE_HINT, CONNECT_SECONDS
from overheard.net.egress_audit import guarded
from overheard.notices import Notice

APP = "Overheard"
PAUSE = 0.5  # seconds between a service's recipients; Apprise's own 5.5 would outlast every deadline


class AppriseChannel:
    """One Apprise URL. Each send builds a service of its own, because services keep state: threads may share this.

    Raises InvalidInput for a URL that Apprise or we refuse; its text does not show the URL, which is a secret.
    """

    kind = "apprise"
    signed = False

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        self._url = url
        self._options = options
        self._chat = chat_service(url)
        self._name = self._chat.name if self._chat else f"{url.partition(':')[0]}://"
        _apprise()  # loaded outside the guard, which is for services and not for imports
        with Deadline(options.timeout) as deadline, guarded(deadline, allow_private=options.allow_private) as guard:
            self._service()
        if guard.refusal is not None:
            raise InvalidInput(f"url: {guard.refusal}")

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises RetryableError (with the delay asked for), DeliveryRefused, or PermanentError."""
        options = self._options
        with (
            Deadline(options.timeout) as deadline,
            captured() as said,
            guarded(deadline, allow_private=options.allow_private) as guard,
        ):
            delivered = self._notify(notice)
        if guard.refusal is not None:
            raise guard.refusal
        # Cut off is not delivered, even when the service saw a 200 in it: who answers so slowly is broken.
        if deadline.passed or not delivered:
            cut = deadline.cut and f"it {deadline.cut}"
            fault = cut or redact_in(said.fault, self._url)
            reason = f"{self._name} not delivered: {fault or guard.reason or 'the service did not say why'}"
            if guard.refused and not fault and guard.delay is None:
                raise DeliveryRefused(reason)
            raise RetryableError(reason, delay=guard.delay)

    def _notify(self, notice: Notice) -> bool:
        service = self._service()
        headers = getattr(service, "headers", None)
        if isinstance(headers, dict) and not mail.is_mail(service):
            headers["webhook-id"] = notice.id
        fitted = message.compose(service, notice)
        bundle = _apprise().Apprise(asset=service.asset)
        bundle.add(service)
        with mail.mail_headers(notice.id, fitted.text):
            return bool(
                bundle.notify(title=fitted.title, body=fitted.body, body_format=fitted.body_format, notify_type="info")
            )

    def _service(self) -> Any:
        with captured() as said:
            parsed = _apprise().plugins.url_to_dict(self._url)
            if parsed:
                module = _apprise().plugins.N_MGR[parsed["schema"]].__module__
                allow = self._options.allow_private
                check_service(self._name, module, parsed.get("qsd", {}), allow_private=allow)
            service = _apprise().Apprise.instantiate(self._url, asset=_asset()) if parsed else None
        if service is None and self._chat is not None:
            raise InvalidInput(f"url: not an address at which {self._chat.name} takes messages; use {self._chat.form}")
        if service is None:
            # Lines that speak of the URL repeat it, in forms that nobody can promise to clean.
            lines = [record.getMessage() for record in said.records]
            why = redact_in("; ".join(line for line in lines if "URL" not in line), self._url)
            raise InvalidInput(
                f"url: Apprise does not accept this {self._name} address{why and f' ({why})'}; "
                "compare it with https://appriseit.com/services"
            )
        self._check_host(service)
        return self._tamed(service)

    def _tamed(self, service: Any) -> Any:
        """Options in the URL can ask for all of this; what they ask is ours to decide."""
        service.redirects = False  # they would lead past what was configured
        service.retry, service.optional = 0, False  # our stages retry, and a failure is a failure
        service.request_rate_per_sec = min(service.request_rate_per_sec, PAUSE)
        service.throttle = functools.partial(_throttle, weakref.proxy(service))  # a cycle would put off its log-out
        service.socket_connect_timeout = min(CONNECT_SECONDS, self._options.timeout)
        service.socket_read_timeout = self._options.timeout
        service.overflow_mode = _apprise().OverflowMode.UPSTREAM  # what we send fits (``message``)
        if mail.is_mail(service):
            service.body_maxlen = mail.MAX_PAGE_CHARS
        return service

    def _check_host(self, service: Any) -> None:
        if self._options.allow_private:
            return
        speaks_http = hasattr(sys.modules[type(service).__module__], "requests")
        if service.port is not None and is_blocked_port(service.port) and speaks_http:
            raise InvalidInput(f"url: {BLOCKED_PORT_MESSAGE.format(service.port)}")
        if not any("{host}" in template for template in service.templates):
            return  # where a host would be, such a service's URL has a token or a number
        host = str(service.host or "")
        address = parse_address(host)
        why = why_refused(address) if address is not None else None
        if why is not None:
            raise InvalidInput(f"url: points at {host} ({why}); {ALLOW_PRIVATE_HINT}")


def _throttle(service: Any, last_io: Any = None, wait: float | None = None) -> None:
    """Pause between requests. Not for ``wait``, which is the receiver's word: it may be days (``http``)."""
    service.__class__.throttle(service, last_io)


def _asset() -> Any:
    # service_timeout 0: in this thread, where the guard sees it. Our deadline ends it instead.
    return _apprise().AppriseAsset(
        app_id=APP,
        app_desc=APP,
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
    # Apprise's PGP support looks for a module that Python deprecates; nobody here can do anything about that.
    warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
    import apprise

    from overheard.channels.apprise import http

    apprise.Apprise.instantiate("json://localhost")  # loads all services
    http.install()
    mail.install()
    return apprise
