"""Any service that Apprise speaks to: mail, Slack, Discord, Telegram and 130 more (https://appriseit.com/services).

Apprise answers True or False and logs why, follows redirects, retries and reads local files when a URL says so. Here it
does one try, within a deadline, under the egress guard, and its log lines become the reason, as far as they cannot be
an echo of what was sent (``apprise_words``). ``import apprise`` and its services take 20 MB and half a second, so both
wait for the first channel that needs them.

The notice's id (I4): mail carries it as Message-ID, ``json://``, ``xml://`` and ``form://`` as the header
``webhook-id``; other services have no field for it.
"""

from __future__ import annotations

import functools
import urllib.request
import warnings
from typing import Any

from overheard.channels import ChannelOptions, Notice, apprise_mail, render
from overheard.channels.addresses import literal, why_refused
from overheard.channels.apprise_rules import check_service
from overheard.channels.deadline import Deadline
from overheard.channels.egress import ALLOW, CONNECT_SECONDS
from overheard.channels.guard import guarded
from overheard.channels.libraries_log import captured
from overheard.channels.redact import scrub
from overheard.errors import InvalidInput, TryAgain

APP = "Overheard"
PAUSE = 0.5  # seconds between a service's recipients; Apprise's own 5.5 would outlast every deadline


class AppriseChannel:
    """One Apprise URL. Each send builds a service of its own, because services keep state: threads may share this.

    Raises InvalidInput for a URL that Apprise or we refuse; its text does not show the URL, which is a secret.
    """

    kind = "apprise"
    signed = False

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        if secret is not None:
            raise InvalidInput("secret: only http:// and https:// channels are signed; remove it")
        self._url = url
        self._options = options
        self._scheme = url.partition(":")[0]
        _apprise()  # loaded outside the guard, which is for services and not for imports
        with Deadline(options.timeout) as deadline, guarded(deadline, allow_private=options.allow_private) as guard:
            self._service()
        if guard.refusal is not None:
            raise InvalidInput(f"url: {guard.refusal}")

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises TryAgain, or EgressRefused (Permanent)."""
        options = self._options
        if not options.allow_private and any(urllib.request.getproxies().get(s) for s in ("http", "https", "all")):
            raise TryAgain(
                f"the environment names a proxy, which would connect past the egress check; unset it, or {ALLOW}"
            )
        with (
            Deadline(options.timeout) as deadline,
            captured() as said,
            apprise_mail.message_id(notice.id),
            guarded(deadline, allow_private=options.allow_private) as guard,
        ):
            delivered = self._notify(notice)
        if guard.refusal is not None:
            raise guard.refusal
        # Cut off is not delivered, even when the service saw a 200 in it: who answers so slowly is broken.
        if deadline.passed or not delivered:
            late = f"no complete answer within {options.timeout:g} s" if deadline.passed else None
            why = "; ".join(dict.fromkeys(filter(None, said.reasons)))
            reason = late or scrub(why, self._url) or "the service did not say why"
            raise TryAgain(f"{self._scheme}:// not delivered: {reason}")

    def _notify(self, notice: Notice) -> bool:
        service = self._service()
        headers = getattr(service, "headers", None)
        if isinstance(headers, dict) and not apprise_mail.is_mail(service):
            headers["webhook-id"] = notice.id
        flavour, body_format = _flavour(service)
        title = render.subject(notice)
        room = int(service.body_maxlen)
        if not service.title_maxlen or service.overflow_amalgamate_title:
            room -= len(title) + 16  # the service puts the title into the body, with some mark-up
        body = render.body(notice, flavour, max(room, 40))
        bundle = _apprise().Apprise(asset=service.asset)
        bundle.add(service)
        return bool(bundle.notify(title=title, body=body, body_format=body_format, notify_type="info"))

    def _service(self) -> Any:
        with captured() as said:
            parsed = _apprise().plugins.url_to_dict(self._url)
            if parsed:
                module = _apprise().plugins.N_MGR[parsed["schema"]].__module__
                allow = self._options.allow_private
                check_service(self._scheme, module, parsed.get("qsd", {}), allow_private=allow)
            service = _apprise().Apprise.instantiate(self._url, asset=_asset()) if parsed else None
        if service is None:
            # Lines that speak of the URL repeat it, in forms that nobody can promise to clean.
            why = scrub("; ".join(line for line in said.lines if "URL" not in line), self._url)
            raise InvalidInput(
                f"url: Apprise does not accept this {self._scheme}:// address{why and f' ({why})'}; "
                "compare it with https://appriseit.com/services"
            )
        self._check_host(service)
        return self._tamed(service)

    def _tamed(self, service: Any) -> Any:
        """Options in the URL can ask for all of this; what they ask is ours to decide."""
        service.redirects = False  # they would lead past what was configured
        service.retry, service.optional = 0, False  # our stages retry, and a failure is a failure
        service.request_rate_per_sec = min(service.request_rate_per_sec, PAUSE)
        service.socket_connect_timeout = min(CONNECT_SECONDS, self._options.timeout)
        service.socket_read_timeout = self._options.timeout
        if service.overflow_mode == "upstream":  # what a conversion's escapes made too long is shortened here
            service.overflow_mode = _apprise().OverflowMode.TRUNCATE
        return service

    def _check_host(self, service: Any) -> None:
        if self._options.allow_private or not any("{host}" in template for template in service.templates):
            return  # where a host would be, such a service's URL has a token or a number
        host = str(service.host or "")
        address = literal(host)
        why = why_refused(address) if address is not None else None
        if why is not None:
            raise InvalidInput(f"url: points at {host} ({why}); {ALLOW}")


def _flavour(service: Any) -> tuple[render.Flavour, str]:
    """What to write for this service, and what to tell Apprise that it is.

    Mail gets our page. A service that takes plain text gets that, even if it could do more: nothing to escape wrongly.
    Those that only take Markdown get Markdown, escaped by us, since Apprise's own escaping breaks links.
    """
    if service.resolve_format(None) == "html" and service.title_maxlen:
        return "html", "html"
    if service.resolve_format("text") == "markdown":
        return "markdown", "markdown"
    return "text", "text"


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

    apprise.Apprise.instantiate("json://localhost")  # loads all services
    return apprise
