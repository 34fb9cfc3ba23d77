from __future__ import annotations

import logging
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from overheard.channels import ChannelOptions
from overheard.channels.signing import new_secret
from overheard.channels.webhook import WebhookTransport
from overheard.errors import ChannelGone, InvalidInput, RetryableError
from overheard.net.egress import EgressRefused
from overheard.notices import Notice
from tests.servers.sink import Answer, HttpSink

SECRET = new_secret()
MakeNotice = Callable[..., Notice]


def test_a_mention_arrives_signed(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    WebhookTransport(f"{http.url}/hook?token=x", SECRET, options).send(notice())
    request = http.wait_for(1)[0]
    assert (request.method, request.path) == ("POST", "/hook?token=x")
    assert request.verified_by(SECRET)
    assert not request.verified_by(new_secret())
    assert request.headers["webhook-id"] == "dlv_17"
    assert request.headers["user-agent"] == "Overheard/test"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "type": "mention.created",
        "timestamp": "2026-03-04T05:06:09Z",
        "data": {
            "workspace": "acme",
            "item": "t1_abc",
            "kind": "comment",
            "subreddit": "python",
            "author": "alice",
            "title": "Which database do you use?",
            "body": "We moved from Rival to acme db last week and it is great.",
            "permalink": "/r/python/comments/xyz/which/abc/",
            "created_at": "2026-03-04T05:06:07Z",
            "stored_at": "2026-03-04T05:06:09Z",
            "queries": ["brand"],
            "highlights": [["body", 23, 30]],
            "id": "17",
            "source": "reddit",
            "place": "python",
            "thread": "t3_xyz",
            "thread_title": "Which database do you use?",
            "url": "",
            "query_ids": [1],
            "backfilled": False,
            "why": [{"query_id": 1, "term": '"acme db"', "field": "body", "start": 23, "end": 30}],
            "texts": {},
        },
    }


def test_during_rotation_both_secrets_verify(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    new = new_secret()
    WebhookTransport(http.url, f"{new} {SECRET}", options).send(notice())
    request = http.wait_for(1)[0]
    assert request.verified_by(new)
    assert request.verified_by(SECRET)
    assert not request.verified_by(new_secret())


def test_another_try_has_the_same_id_and_body_and_a_fresh_timestamp(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice
) -> None:
    clock = iter([1000.0] * 3 + [2000.0] * 3)
    options = msgspec.structs.replace(options, clock=lambda: next(clock))
    transport = WebhookTransport(http.url, SECRET, options)
    http.answer(Answer(500))
    with pytest.raises(RetryableError):
        transport.send(notice())
    transport.send(notice())
    first, second = http.wait_for(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert [r.headers["webhook-timestamp"] for r in (first, second)] == ["1000", "2000"]
    assert first.verified_by(SECRET, now=1000)
    assert second.verified_by(SECRET, now=2000)


def test_retry_after_and_410_reach_the_caller(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    transport = WebhookTransport(f"{http.url}/canary", SECRET, options)
    http.answer(Answer(429, {"Retry-After": "7"}), Answer(410))
    with pytest.raises(RetryableError, match=r"^127\.0\.0\.1 answered 429 Too Many Requests$") as error:
        transport.send(notice())
    assert error.value.delay == 7
    with pytest.raises(ChannelGone):
        transport.send(notice())


def test_a_redirect_is_not_followed(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    http.answer(Answer(307, {"Location": f"{http.url}/elsewhere"}))
    with pytest.raises(RetryableError, match="redirects are not followed"):
        WebhookTransport(http.url, SECRET, options).send(notice())
    assert len(http.arrived) == 1


@pytest.mark.parametrize("fault", ["hang", "drip headers"])
def test_an_attempt_without_an_answer_ends_at_the_deadline(http: HttpSink, notice: MakeNotice, fault: str) -> None:
    http.answer(Answer(fault=fault))  # type: ignore[arg-type]
    quick = ChannelOptions(allow_private=True, timeout=0.3, user_agent="x")
    started = time.monotonic()
    with pytest.raises(RetryableError, match=r"gave no complete answer within 0\.3 s"):
        WebhookTransport(http.url, SECRET, quick).send(notice())
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("fault", ["drip body", "endless body", "endless chunk"])
def test_after_2xx_the_body_delays_nothing(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice, fault: str
) -> None:
    http.answer(Answer(fault=fault))  # type: ignore[arg-type]
    started = time.monotonic()
    WebhookTransport(http.url, SECRET, options).send(notice())
    assert time.monotonic() - started < 10  # the deadline is 20 s


def test_headers_without_end_are_cut_off(options: ChannelOptions, notice: MakeNotice) -> None:
    with HttpSink() as sink:
        sink.answer(Answer(fault="endless headers"))
        with pytest.raises(RetryableError, match=r"^127\.0\.0\.1 sent more than [0-9,]+ KiB$"):
            WebhookTransport(f"{sink.url}/canary", SECRET, options).send(notice())
    assert sink.flooded < 64 * 2**20


def test_libraries_do_not_log_the_url(http: HttpSink, notice: MakeNotice, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 warns of headers that end too soon, with the whole URL."""
    caplog.set_level(logging.DEBUG)
    http.answer(Answer(fault="drip headers"))
    quick = ChannelOptions(allow_private=True, timeout=0.5, user_agent="x")
    with pytest.raises(RetryableError):
        WebhookTransport(f"{http.url}/canary", SECRET, quick).send(notice())
    assert "canary" not in caplog.text


def test_a_reset_connection_is_retried(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    http.answer(Answer(fault="reset"))
    with pytest.raises(RetryableError, match=r"^127\.0\.0\.1: connection reset by peer$"):
        WebhookTransport(f"{http.url}/canary", SECRET, options).send(notice())


def test_an_answer_that_is_not_http_is_retried(options: ChannelOptions, notice: MakeNotice, mail: HttpSink) -> None:
    with pytest.raises(RetryableError, match="closed the connection"):
        WebhookTransport(f"http://127.0.0.1:{mail.port}/canary", SECRET, options).send(notice())


def test_proxies_of_the_environment_are_not_used(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    WebhookTransport(http.url, SECRET, options).send(notice())
    http.wait_for(1)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["100.64.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]],
)
def test_names_of_private_addresses_are_refused_at_connect_time(
    addresses: list[str], http: HttpSink, strict: ChannelOptions, notice: MakeNotice
) -> None:
    url = f"http://rebind.example:{http.port}/canary"
    transport = WebhookTransport(url, SECRET, strict, resolve=lambda host, port: addresses)
    with pytest.raises(EgressRefused, match=r"rebind\.example .*\[notify\] allow_private") as error:
        transport.send(notice())
    assert "canary" not in str(error.value)
    assert len(http.arrived) == 0


def test_a_missing_secret_is_refused(options: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match="secret: a webhook needs one"):
        WebhookTransport("https://example.com/", None, options)


def test_threads_may_share_a_transport(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    transport = WebhookTransport(http.url, SECRET, options)
    threads = [threading.Thread(target=transport.send, args=(notice(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(request.verified_by(SECRET) for request in http.wait_for(8))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for hooks.example and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "hooks.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=hooks.example"
    )
    names = ["-addext", "subjectAltName=DNS:hooks.example"]
    out = subprocess.run([*command.split(), *names, "-keyout", "-"], capture_output=True, check=True)
    path.write_bytes(out.stdout)
    return path


@pytest.fixture
def https(certificate: Path) -> Iterator[HttpSink]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HttpSink(tls=context) as sink:
        yield sink


def test_tls_is_checked_against_the_name_and_not_the_address(
    https: HttpSink, options: ChannelOptions, notice: MakeNotice, certificate: Path
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    url = f"https://hooks.example:{https.port}/"
    WebhookTransport(url, SECRET, options, resolve=lambda host, port: ["127.0.0.1"], tls=trusting).send(notice())
    assert https.wait_for(1)[0].headers["host"] == f"hooks.example:{https.port}"
    assert https.server_names == ["hooks.example"]


@pytest.mark.parametrize(("name", "trusted"), [("other.example", True), ("hooks.example", False)])
def test_a_wrong_or_unknown_certificate_is_not_accepted(
    https: HttpSink, options: ChannelOptions, notice: MakeNotice, certificate: Path, name: str, trusted: bool
) -> None:
    tls = ssl.create_default_context(cafile=str(certificate)) if trusted else None
    url = f"https://{name}:{https.port}/canary"
    transport = WebhookTransport(url, SECRET, options, resolve=lambda host, port: ["127.0.0.1"], tls=tls)
    with pytest.raises(RetryableError, match="certificate or TLS setup was not accepted") as error:
        transport.send(notice())
    assert "canary" not in str(error.value)
    assert len(https.arrived) == 0
