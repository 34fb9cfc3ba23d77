"""The contract of every transport, against real receivers. A new kind adds one ``Rig``."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overheard.channels import ChannelOptions, Transport
from overheard.channels.redact import redact
from overheard.channels.registry import chat_kinds, default_kind, is_signed, kinds, open_transport, validate_url
from overheard.channels.sample_notice import sample_notice
from overheard.channels.signing import new_secret
from overheard.errors import InvalidInput, OverheardError, PermanentError, RetryableError
from tests.servers.mail_server import MailServer
from tests.servers.sink import Answer, Fault, HttpSink, MailSink

OPTIONS = ChannelOptions(allow_private=True, timeout=20.0, user_agent="Overheard/test", files_dir="/nonexistent")
STRICT = msgspec.structs.replace(OPTIONS, allow_private=False)
CANARY = "canary"


@dataclass(frozen=True)
class Rig:
    """A receiver and the pattern of its URL; ``id_of`` and ``text_of`` read a notice's id and text from an arrival.

    ``service``: a chat service whose address is the operator's, and in whose place the receiver is.
    ``accepted``: how an HTTP receiver says that it took a notice.
    """

    kind: str
    pattern: str
    receiver: Callable[[], Any]
    id_of: Callable[[Any], str]
    text_of: Callable[[Any], str]
    service: str = ""
    accepted: Answer = field(default_factory=Answer)
    sink: Any = None  # a running receiver, for the time of a test

    def url(self, host: str = "127.0.0.1", port: int | None = None) -> str:
        return self.pattern.format(host=host, port=port or getattr(self.sink, "port", 0))

    def open(self, options: ChannelOptions = OPTIONS, **where: Any) -> Transport:
        url = self.url(**where)
        if self.service:
            address = f"http://127.0.0.1:{where.get('port') or self.sink.port}" if self.sink else ""
            options = msgspec.structs.replace(options, services={self.service: address})
        return open_transport(url, new_secret() if is_signed(url) else None, options=options)


WEBHOOK = Rig(
    "webhook",
    "http://{host}:{port}/canary",
    HttpSink,
    lambda r: r.headers["webhook-id"],
    lambda r: r.body.decode(),
)
APPRISE_MAIL = Rig(
    "apprise",
    "mailto://{host}:{port}/?from=canary@example.com&to=boss@example.com&verify=no",
    MailSink,
    lambda m: m["Message-ID"].strip("<>").partition("@")[0],
    str,
)
EMAIL = Rig(
    "email",
    "mailto://{host}:{port}/?from=canary@example.com&to=boss@example.com",
    MailServer,
    lambda m: m.message["Message-ID"].strip("<>").partition("@")[0],
    lambda m: m.part("plain"),
)
SLACK = replace(WEBHOOK, kind="slack", pattern="https://hooks.slack.com/services/T1/B1/canary", service="slack")
NTFY = replace(
    WEBHOOK, kind="ntfy", pattern="ntfy://me:canary@{host}:{port}/canary", id_of=lambda r: r.json["sequence_id"]
)
RIGS = {
    "webhook": WEBHOOK,
    "slack": SLACK,
    "slack bot": replace(
        SLACK, pattern="slack://xoxb-1-canary/#general", service="slack api", accepted=Answer(body=b'{"ok": true}')
    ),
    "discord": replace(WEBHOOK, kind="discord", pattern="https://discord.com/api/webhooks/1/canary", service="discord"),
    "telegram": replace(WEBHOOK, kind="telegram", pattern="tgram://123456:canary/-100", service="telegram"),
    "ntfy": NTFY,
    "ntfy.sh": replace(NTFY, pattern="https://ntfy.sh/canary", service="ntfy"),
    "apprise json": replace(WEBHOOK, kind="apprise", pattern="json://me:canary@{host}:{port}/canary"),
    "apprise mail": APPRISE_MAIL,
    "email": EMAIL,
}
# Without a receiver: null:// promises none, and file:// writes on this machine (tests/unit/channels/test_file.py).
ALL_RIGS = {
    **RIGS,
    "null": Rig("null", "null://", nullcontext, lambda r: "", lambda r: ""),
    "file": Rig("file", "file:///canary.jsonl", nullcontext, lambda r: "", lambda r: ""),
}
OVER_HTTP = [name for name, rig in RIGS.items() if rig.receiver is HttpSink]
AT_ANY_HOST = [name for name, rig in RIGS.items() if not rig.service]


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    rig = ALL_RIGS[request.param]
    with rig.receiver() as sink:
        if isinstance(sink, HttpSink):
            sink.always = lambda request: rig.accepted
        yield replace(rig, sink=sink)


def over_http(test: Callable[..., None]) -> Callable[..., None]:
    marked: Callable[..., None] = pytest.mark.parametrize("rig", OVER_HTTP, indirect=True)(test)
    return marked


def at_any_host(test: Callable[..., None]) -> Callable[..., None]:
    marked: Callable[..., None] = pytest.mark.parametrize("rig", AT_ANY_HOST, indirect=True)(test)
    return marked


def test_the_notices_text_arrives(rig: Rig) -> None:
    rig.open().send(sample_notice("acme"))
    assert "Overheard can reach this channel" in rig.text_of(rig.sink.wait_for(1)[0])


def every_rig(test: Callable[..., None]) -> Callable[..., None]:
    marked: Callable[..., None] = pytest.mark.parametrize("rig", ALL_RIGS, indirect=True)(test)
    return marked


def test_every_kind_is_tested_here() -> None:
    assert {rig.kind for rig in ALL_RIGS.values()} == {
        each.kind for each in (*kinds().values(), *chat_kinds(), default_kind())
    }


@every_rig
def test_its_kind_is_a_fixed_word(rig: Rig) -> None:
    assert rig.open().kind == rig.kind


def test_every_attempt_carries_the_same_id(rig: Rig) -> None:
    notice = sample_notice("acme")
    rig.open().send(notice)
    rig.open().send(notice)
    assert [rig.id_of(arrival) for arrival in rig.sink.wait_for(2)] == [notice.id, notice.id]


@over_http
@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 503])
def test_a_refused_delivery_is_retried(rig: Rig, status: int) -> None:
    rig.sink.answer(Answer(status, body=CANARY.encode()))
    with pytest.raises(RetryableError, match=str(status)) as error:
        rig.open().send(sample_notice("acme"))
    assert CANARY not in str(error.value)
    rig.open().send(sample_notice("acme"))


@over_http
@pytest.mark.parametrize("status", [301, 303, 307])
def test_a_redirect_is_not_followed(rig: Rig, status: int) -> None:
    with HttpSink() as elsewhere:
        rig.sink.answer(Answer(status, {"Location": f"{elsewhere.url}/elsewhere"}))
        with pytest.raises(RetryableError, match=str(status)):
            rig.open().send(sample_notice("acme"))
        assert (len(rig.sink.arrived), len(elsewhere.arrived)) == (1, 0)


@over_http
@pytest.mark.parametrize("header", ["17", "date"])
def test_retry_after_is_the_delay(rig: Rig, header: str) -> None:
    value = header if header == "17" else formatdate(time.time() + 17, usegmt=True)
    rig.sink.answer(Answer(429, {"Retry-After": value}))
    with pytest.raises(RetryableError) as error:
        rig.open().send(sample_notice("acme"))
    assert error.value.delay == pytest.approx(17, abs=0 if header == "17" else 5)


@over_http
def test_nothing_of_this_machine_is_sent_along(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login operator password ours\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    rig.sink.always = lambda request: replace(rig.accepted, headers={"Set-Cookie": "a=b"})
    transport = rig.open()
    for _ in range(2):
        transport.send(sample_notice("acme"))
    for request in rig.sink.wait_for(2):
        assert "cookie" not in request.headers
        assert base64.b64encode(b"operator:ours").decode() not in str(request.headers)


@over_http
@pytest.mark.parametrize("fault", ["endless body", "endless headers", "endless chunk"])
def test_an_answer_without_end_is_cut_off(rig: Rig, fault: Fault) -> None:
    rig.sink.answer(Answer(fault=fault))
    started = time.monotonic()
    with suppress(RetryableError):  # a webhook's answer is known before its body ends
        rig.open().send(sample_notice("acme"))
    assert time.monotonic() - started < 10  # the deadline is 20 s
    assert rig.sink.flooded < 64 * 2**20


@pytest.mark.parametrize("rig", [name for name in OVER_HTTP if name in AT_ANY_HOST], indirect=True)
def test_ports_of_other_protocols_are_refused(rig: Rig) -> None:
    with pytest.raises(InvalidInput, match="port 25 belongs to another protocol"):
        validate_url(rig.url(host="example.com", port=25), options=STRICT)


def test_a_closed_port_is_retried(rig: Rig) -> None:
    with pytest.raises(RetryableError) as error:
        rig.open(port=1).send(sample_notice("acme"))
    assert CANARY not in str(error.value)


@over_http
@pytest.mark.parametrize("fault", ["hang", "drip headers", "reset"])
def test_a_broken_receiver_ends_with_the_deadline(rig: Rig, fault: Fault) -> None:
    rig.sink.answer(Answer(fault=fault))
    started = time.monotonic()
    with pytest.raises(RetryableError) as error:
        rig.open(msgspec.structs.replace(OPTIONS, timeout=0.4)).send(sample_notice("acme"))
    assert time.monotonic() - started < 5
    assert CANARY not in str(error.value)


@at_any_host
def test_a_private_address_is_refused_when_saved(rig: Rig) -> None:
    with pytest.raises(InvalidInput, match=r"\[notify\] allow_private") as refused:
        validate_url(rig.url(), options=STRICT)
    assert CANARY not in str(refused.value)


@at_any_host
def test_a_name_of_a_private_address_is_refused_at_connect_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    # Below every library, so that it does not matter which of them looks the name up.
    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        return system(host if host != "rebind.example" else "127.0.0.1", *args, **options)

    system = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    validate_url(rig.url(host="rebind.example"), options=STRICT)
    with pytest.raises(PermanentError, match=r"\[notify\] allow_private") as error:
        rig.open(STRICT, host="rebind.example").send(sample_notice("acme"))
    assert CANARY not in str(error.value)
    assert len(rig.sink.arrived) == 0
    rig.open(host="rebind.example").send(sample_notice("acme"))
    rig.sink.wait_for(1)


@pytest.mark.parametrize("rig", [name for name in RIGS if name not in AT_ANY_HOST], indirect=True)
def test_a_services_address_is_the_operators_and_may_be_private(rig: Rig) -> None:
    validate_url(rig.url(), options=STRICT)
    rig.open(STRICT).send(sample_notice("acme"))
    rig.sink.wait_for(1)


@every_rig
def test_a_valid_url_is_accepted(rig: Rig) -> None:
    validate_url(rig.url(), options=OPTIONS)
    validate_url(rig.url(host="example.com"), options=STRICT)


@every_rig
def test_a_redacted_url_contains_no_secret(rig: Rig) -> None:
    assert CANARY not in redact(rig.url())
    assert redact(rig.url()).endswith("***")


@pytest.mark.parametrize("url", ["", "canary", "x://", "://canary", "https://canary@example.com/", "slack://canary"])
def test_an_unusable_url_is_refused_with_where_and_what_to_do(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^acme\.toml, channel 'team': url: ") as error:
        validate_url(url, options=OPTIONS, where="acme.toml, channel 'team'")
    assert CANARY not in str(error.value)


def test_null_accepts_everything_and_refuses_an_address() -> None:
    transport = open_transport("null://", None, options=STRICT)
    transport.send(sample_notice("acme"))
    with pytest.raises(InvalidInput, match="it has no address; remove what follows it") as error:
        validate_url(f"null://{CANARY}", options=STRICT)
    assert CANARY not in str(error.value)
    with pytest.raises(InvalidInput, match="null:// channels are not signed"):
        open_transport("null://", new_secret(), options=STRICT)


def test_an_unusable_secret_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidInput, match="secret: ") as error:
        validate_url("https://example.com/", f"{CANARY}!", options=OPTIONS)
    assert CANARY not in str(error.value)


def test_a_secret_where_nothing_is_signed_is_refused() -> None:
    with pytest.raises(OverheardError, match="json:// channels are not signed"):
        validate_url("json://example.com/", new_secret(), options=OPTIONS)
