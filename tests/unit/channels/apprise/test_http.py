from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests

from overheard.channels import ChannelOptions
from overheard.channels.apprise.http import MAX_RESPONSE_BYTES, GuardedRequests
from overheard.channels.apprise.transport import AppriseTransport
from overheard.errors import InvalidInput, RetryableError
from overheard.net.deadline import Deadline
from overheard.net.egress_audit import EgressBlocked, guarded
from overheard.notices import Notice
from tests.servers.sink import Answer, Fault, HttpSink

MakeNotice = Callable[..., Notice]
JSON = {"Content-Type": "application/json"}
FLOOD_BYTES = 64 * 2**20  # what the kernel may buffer, and far less than one second of an endless answer


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login for every host, in both places where ``requests`` looks."""
    file = tmp_path / ".netrc"
    file.write_text("default login operator password canary\n")
    file.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(file))


@pytest.mark.usefixtures("netrc")
def test_the_operators_netrc_is_not_sent(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    for url in (
        "json://127.0.0.1:{}",
        "ntfy://127.0.0.1:{}/topic",
        "form://127.0.0.1:{}",
        "gotify://127.0.0.1:{}/token",
    ):
        AppriseTransport(url.format(http.port), None, options).send(notice())
    assert all("authorization" not in request.headers for request in http.wait_for(4))
    AppriseTransport(f"json://me:mine@127.0.0.1:{http.port}", None, options).send(notice())
    assert http.wait_for(5)[4].headers["authorization"].startswith("Basic bWU6bWluZQ"), "the URL's own login is"


@pytest.mark.usefixtures("netrc")
def test_other_users_of_requests_are_not_affected(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    AppriseTransport(f"json://127.0.0.1:{http.port}", None, options).send(notice())
    requests.get(http.url, timeout=5)
    request = http.wait_for(2)[1]
    assert request.headers["authorization"].startswith("Basic ")
    assert "gzip" in request.headers["accept-encoding"]


def test_no_proxy_of_the_environment_is_used(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HttpSink() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        AppriseTransport(f"json://127.0.0.1:{http.port}", None, options).send(notice())
        assert len(http.wait_for(1)) == 1
        assert len(proxy.arrived) == 0


def test_authorities_that_the_operator_added_are_trusted(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(RetryableError):
        AppriseTransport(f"jsons://127.0.0.1:{http.port}", None, options).send(notice())
    with Deadline(5) as deadline, guarded(deadline, allow_private=True), pytest.raises(OSError, match=r"none\.pem"):
        GuardedRequests().get(f"https://127.0.0.1:{http.port}")


def test_cookies_are_not_sent_back(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    http.always = lambda request: Answer(200, {"Set-Cookie": "session=canary; Path=/"})
    transport = AppriseTransport(f"ntfy://127.0.0.1:{http.port}/a/b", None, options)
    transport.send(notice())
    transport.send(notice())
    assert all("cookie" not in request.headers for request in http.wait_for(4))


@pytest.mark.parametrize("fault", ["endless body", "endless headers", "endless chunk"])
def test_an_answer_without_end_is_cut_off(fault: Fault, options: ChannelOptions, notice: MakeNotice) -> None:
    began = time.monotonic()
    with HttpSink() as sink:
        sink.always = lambda request: Answer(fault=fault)
        with pytest.raises(RetryableError) as error:
            AppriseTransport(f"json://127.0.0.1:{sink.port}/canary", None, options).send(notice())
    assert "canary" not in str(error.value)
    assert sink.flooded < FLOOD_BYTES
    assert time.monotonic() - began < 10  # the deadline is 20 s
    if fault != "endless chunk":  # which is not HTTP from the first line on
        assert "sent more than" in str(error.value)


def test_a_compressed_answer_is_not_decompressed(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    """200 KB that expand to 200 MB."""
    bomb = gzip.compress(bytes(200 * 2**20), 1)
    assert len(bomb) < MAX_RESPONSE_BYTES
    http.answer(Answer(200, {"Content-Encoding": "gzip"}, bomb))
    with Deadline(20) as deadline, guarded(deadline, allow_private=True):
        response = GuardedRequests().post(http.url, {"a": "b"})
        assert response.content == bomb
        assert b"".join(response.iter_content(1000)) == bomb
    assert http.wait_for(1)[0].headers["accept-encoding"] == "identity"
    http.answer(Answer(200, {"Content-Encoding": "gzip"}, bomb))
    AppriseTransport(f"json://127.0.0.1:{http.port}", None, options).send(notice())


def chat(name: str, http: HttpSink, monkeypatch: pytest.MonkeyPatch, options: ChannelOptions) -> AppriseTransport:
    """Return a transport to a service on the internet, redirected to the sink."""
    url = {
        "slack": "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "discord": "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/12315545/12315546",
    }[name]
    transport = AppriseTransport(url, None, options)
    from apprise.plugins import discord, slack, telegram

    monkeypatch.setattr(slack.NotifySlack, "webhook_url", http.url)
    monkeypatch.setattr(discord.NotifyDiscord, "notify_url", http.url)
    monkeypatch.setattr(telegram.NotifyTelegram, "notify_url", f"{http.url}/bot")
    return transport


def rate_limited(seconds: float, how: str) -> Answer:
    headers, body = dict(JSON), {}
    if how == "seconds":
        headers["Retry-After"] = f"{seconds:g}"
    elif how == "date":
        headers["Retry-After"] = formatdate(time.time() + seconds, usegmt=True)
    elif how == "telegram":
        body = {"ok": False, "error_code": 429, "parameters": {"retry_after": seconds}}
    elif how == "discord":
        body = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
        headers |= {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time() + seconds))}
    return Answer(429, headers, json.dumps(body).encode())


@pytest.mark.parametrize("how", ["seconds", "date", "telegram", "discord"])
@pytest.mark.parametrize("name", ["slack", "discord", "telegram"])
def test_the_delay_that_a_chat_asks_for_ends_the_attempt_after_one_request(
    name: str, how: str, http: HttpSink, options: ChannelOptions, notice: MakeNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = chat(name, http, monkeypatch, options)
    http.always = lambda request: rate_limited(300, how)
    began = time.monotonic()
    with pytest.raises(RetryableError, match=r"answered 429 Too Many Requests, and asks to wait (300|299) s$") as error:
        transport.send(notice())
    assert error.value.delay == pytest.approx(300, abs=10)
    assert len(http.arrived) == 1, "of three chats, and of Discord's second try"
    assert time.monotonic() - began < 10


def test_any_http_service_may_ask_for_a_delay(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    for url in ("json", "form", "xml"):
        http.answer(Answer(503, {"Retry-After": "17"}))
        with pytest.raises(RetryableError) as error:
            AppriseTransport(f"{url}://127.0.0.1:{http.port}", None, options).send(notice())
        assert error.value.delay == 17
    http.answer(Answer(503))
    with pytest.raises(RetryableError) as error:
        AppriseTransport(f"json://127.0.0.1:{http.port}", None, options).send(notice())
    assert error.value.delay is None


def test_a_service_does_not_sleep_for_the_delay_that_its_server_asks_for(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice
) -> None:
    """Matrix's would, in our thread, for eleven days."""
    http.always = lambda request: Answer(429, JSON, b'{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1000000000}')
    began = time.monotonic()
    with pytest.raises(RetryableError) as error:
        AppriseTransport(f"matrix://user:pass@127.0.0.1:{http.port}/#room", None, options).send(notice())
    assert time.monotonic() - began < 10
    assert error.value.delay == 86400


@pytest.mark.parametrize("port", [0, 25, 6667])
def test_ports_of_other_protocols_are_refused(port: int, strict: ChannelOptions, options: ChannelOptions) -> None:
    if port:
        for url in (
            f"json://example.com:{port}",
            f"mmost://example.com:{port}/{32 * 'a'}",
            f"matrix://u:p@a.b:{port}/#c",
        ):
            with pytest.raises(InvalidInput, match=f"url: port {port} belongs to another protocol"):
                AppriseTransport(url, None, strict)
        AppriseTransport(f"json://example.com:{port}", None, options)
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard, pytest.raises(EgressBlocked):
        GuardedRequests().get(f"http://93.184.216.34:{port}/")
    assert f"port {port} belongs to another protocol" in str(guard.refusal)


def test_mail_keeps_its_ports(strict: ChannelOptions) -> None:
    for port in (25, 465, 587):
        AppriseTransport(f"mailtos://me:secret@example.com:{port}?from=a@example.com&to=b@example.com", None, strict)


def test_nothing_is_sent_outside_a_send(http: HttpSink) -> None:
    """A service may log out when it is collected: at any time, in any thread."""
    with pytest.raises(requests.ConnectionError):
        GuardedRequests().post(http.url)
    with pytest.raises(requests.ConnectionError):
        GuardedRequests().Session()
    assert len(http.arrived) == 0


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_it_accepts_the_arguments_of_requests(method: str, http: HttpSink) -> None:
    arguments: list[Any] = [http.url] if method in ("delete", "head", "options") else [http.url, {"a": "b"}]
    with Deadline(5) as deadline, guarded(deadline, allow_private=True):
        response = getattr(GuardedRequests(), method)(*arguments, timeout=3)
    assert response.text == ("" if method == "head" else "ok")
    request = http.wait_for(1)[0]
    assert request.method == method.upper()
    assert (request.path, request.body) == {
        "get": ("/?a=b", b""), "post": ("/", b"a=b"), "put": ("/", b"a=b"), "patch": ("/", b"a=b")
    }.get(method, ("/", b""))  # fmt: skip
