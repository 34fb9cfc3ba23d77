from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from overheard.channels import ChannelOptions
from overheard.channels.apprise.transport import AppriseTransport
from overheard.errors import DeliveryRefused, InvalidInput, RetryableError
from overheard.net.egress import EgressRefused
from overheard.notices import Notice
from tests.servers.ports import free_ports
from tests.servers.sink import Answer, HttpSink, MailSink, Request, echo

MakeNotice = Callable[..., Notice]
HOSTILE = "@everyone @here <@123> <!channel> <!subteam^S1> [x](https://evil) <img onerror=x> {{7*7}} acme db"
CHATS = {
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
    "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "mattermost": "mmost://example.com/3ccdd113474722377935511fc85d3dd4",
    "google chat": "gchat://space/key/token",
    "teams": "workflow://example.com:443/workflow/signature",
    "webex": "webex://" + "0123456789" * 8,
    "zulip": "zulip://bot@org/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/channel",
}
MARKDOWN = {"google chat", "teams", "webex"}


def test_json_arrives_with_title_text_and_id(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    AppriseTransport(f"json://127.0.0.1:{http.port}/hook", None, options).send(notice())
    request = http.wait_for(1)[0]
    assert request.headers["webhook-id"] == "dlv_17"
    assert request.headers["user-agent"] == "Overheard"
    assert request.json["title"] == "r/python · “acme db” mentioned"
    assert request.json["message"].startswith("Re: Which database do you use?")
    assert request.json["attachments"] == []


def test_mail_arrives_as_a_page_with_a_stable_message_id(
    mail: MailSink, options: ChannelOptions, notice: MakeNotice
) -> None:
    url = f"mailto://127.0.0.1:{mail.port}/?from=overheard@example.com&to=boss@example.com,ceo@example.com"
    transport = AppriseTransport(url, None, options)
    evil = "Re: {{7*7}}\r\nBcc: evil@example.com"
    transport.send(notice(title=evil, place="py\r\nBcc: evil@example.com"))
    for message in mail.wait_for(2):
        assert message["Message-ID"] == "<dlv_17@127.0.0.1>"
        assert message.get_all("Message-ID") == [message["Message-ID"]]
        assert message["Bcc"] is None
        assert message["Subject"].startswith("r/py Bcc: evil@")
        assert {part.get_content_type() for part in message.walk()} >= {"text/plain", "text/html"}
        html = message.get_body(("html",)).get_content()
        assert ">acme db</b>" in html
        assert "{{7*7}}" in html


def test_outside_a_send_apprise_makes_its_own_message_ids(options: ChannelOptions) -> None:
    AppriseTransport("mailto://127.0.0.1/?from=a@example.com&to=b@example.com", None, options)
    from apprise.plugins.email import base

    assert base.make_msgid(domain="example.com") != base.make_msgid(domain="example.com")


@pytest.mark.parametrize("chat", CHATS)
def test_nothing_sent_to_a_chat_service_pings(
    chat: str, options: ChannelOptions, notice: MakeNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaces the last step before the network: these services exist only on the internet."""
    sent: list[str] = []

    def request(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        assert options.get("allow_redirects") is False
        payload = options.get("data") or options.get("json")
        sent.append(
            json.dumps(json.loads(payload) if isinstance(payload, str | bytes) else payload, ensure_ascii=False)
        )
        response = requests.Response()
        response.status_code = 200
        response.raw = io.BytesIO(b"ok" if chat == "slack" else b'{"ok": true}')
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    AppriseTransport(CHATS[chat], None, options).send(notice(title=HOSTILE, body=HOSTILE, author="@everyone"))
    assert len(sent) == 1
    for ping in ("@everyone", "@here", "<@123>", "<!channel>", "<!subteam", "](https", "<img"):
        assert ping not in sent[0]
    link = "https://www.reddit.com/r/python/comments/xyz/which/abc/"
    if chat in MARKDOWN:
        assert f"<{link}>" in sent[0]
        assert "**acme db**" in sent[0] or "*acme db*" in sent[0]
    else:
        assert link in sent[0]
        assert "\\\\" not in sent[0], "plain text needs no escapes"
    assert "{{7*7}}" in sent[0].replace("\\", "")
    assert "github.com/caronc" not in sent[0]


@pytest.mark.parametrize(
    "url",
    ["json://127.0.0.1:{port}/", "json://2130706433:{port}/", "json://0x7f000001:{port}", "jsons://[::1]:{port}/",
     "xml://10.0.0.1/", "form://100.64.0.1", "mailto://169.254.169.254/?from=a@b.co&to=c@d.co", "json://0.0.0.0:{port}"],
)  # fmt: skip
def test_private_addresses_are_refused_when_saved(url: str, strict: ChannelOptions, http: HttpSink) -> None:
    with pytest.raises(InvalidInput, match="allow_private"):
        AppriseTransport(url.format(port=http.port), None, strict)


@pytest.mark.parametrize("host", ["localhost", "localhost.", "ip6-localhost"])
def test_names_of_private_addresses_are_refused_at_connect_time(
    host: str, http: HttpSink, strict: ChannelOptions, notice: MakeNotice
) -> None:
    transport = AppriseTransport(f"json://{host}:{http.port}/canary", None, strict)
    with pytest.raises((EgressRefused, RetryableError)) as error:
        transport.send(notice())
    assert len(http.arrived) == 0
    assert "canary" not in str(error.value)
    if host == "localhost":
        assert isinstance(error.value, EgressRefused)


def test_a_redirect_is_a_failed_delivery_even_when_the_url_asks_for_it(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice
) -> None:
    http.answer(Answer(302, {"Location": f"{http.url}/elsewhere"}))
    with pytest.raises(RetryableError):
        AppriseTransport(f"json://127.0.0.1:{http.port}/?redirect=yes", None, options).send(notice())
    assert len(http.arrived) == 1


def test_options_that_hide_failures_or_retry_are_ignored(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice
) -> None:
    http.answer(Answer(500))
    with pytest.raises(RetryableError):
        AppriseTransport(f"json://127.0.0.1:{http.port}/?optional=yes&retry=3&wait=1", None, options).send(notice())
    assert len(http.arrived) == 1


def test_the_reason_is_reported_without_the_url_and_not_logged(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="apprise")
    http.answer(Answer(403))
    with pytest.raises(RetryableError, match=r"^json:// not delivered: .*403") as error:
        AppriseTransport(f"json://me:canary1@127.0.0.1:{http.port}/canary2?+X-Key=canary3", None, options).send(
            notice()
        )
    assert "canary" not in str(error.value)
    assert not [record for record in caplog.records if record.name == "apprise"]


@pytest.mark.parametrize(
    ("answer", "alone"),
    [(Answer(400), True), (Answer(403), True), (Answer(408), False), (Answer(500), False), (Answer(302), False),
     (Answer(400, {"Retry-After": "9"}), False), (Answer(fault="reset"), False)],
)  # fmt: skip
def test_a_refusal_concerns_one_delivery(
    answer: Answer, alone: bool, http: HttpSink, options: ChannelOptions, notice: MakeNotice
) -> None:
    """Else one message that a chat refuses would hold back all that it would accept."""
    http.answer(answer)
    with pytest.raises(RetryableError) as error:
        AppriseTransport(f"json://127.0.0.1:{http.port}/", None, options).send(notice())
    assert isinstance(error.value, DeliveryRefused) == alone


LOCAL_URLS = [
    "ntfy://127.0.0.1:{port}/topic",
    "gotify://127.0.0.1:{port}/tokentoken",
    "mmost://127.0.0.1:{port}/" + 32 * "a",
]
LOCAL_URLS += ["rocket://user:pass@127.0.0.1:{port}/#chan", "mastodon://token@127.0.0.1:{port}"]
LOCAL_URLS += [
    "matrix://user:pass@127.0.0.1:{port}/#room",
    "synology://127.0.0.1:{port}/token",
    "form://127.0.0.1:{port}",
]
REMOTE_URLS = [
    *CHATS.values(),
    "lark://" + 32 * "a",
    "kook://" + 32 * "a" + "/123",
    "pover://" + 30 * "a" + "@" + 30 * "b",
]
REMOTE_URLS += [
    "twitter://aaaaaaaa/bbbbbbbb/cccccccc/dddddddd",
    "dapnet://user:pass@DF1ABC",
    "wxpusher://AT_appid/123/",
]


def assert_quotes_nothing(reason: str, notice: Notice) -> None:
    (mention,) = notice.mentions
    sent = f"{mention.title} {mention.body} {mention.author} {mention.permalink}".lower().split()
    words = {word for word in sent if len(word) > 3} - {"with", "from"}
    assert not words & set(re.findall(r"[\w/]+", reason.lower())), reason


@pytest.mark.parametrize("url", LOCAL_URLS)
def test_a_receiver_that_repeats_what_it_got_is_not_quoted(
    url: str, http: HttpSink, options: ChannelOptions, notice: MakeNotice
) -> None:
    http.always = echo
    with pytest.raises(RetryableError, match=r"^\w+:// not delivered: the service answered 400 Bad Request$") as error:
        AppriseTransport(url.format(port=http.port), None, options).send(notice())
    assert_quotes_nothing(str(error.value), notice())


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("url", REMOTE_URLS)
def test_a_service_on_the_internet_is_not_quoted_either(
    url: str, status: int, options: ChannelOptions, notice: MakeNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaces the last step before the network."""

    def request(self: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        payload = options.get("data") or options.get("json") or ""
        sent = payload if isinstance(payload, bytes) else str(payload).encode()
        response = requests.Response()
        response.status_code = status
        response.raw = io.BytesIO(echo(Request(method, url, {}, sent)).body)
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    try:
        AppriseTransport(url, None, options).send(notice())
    except RetryableError as error:
        assert_quotes_nothing(str(error), notice())
    else:
        assert status == 200, "some services check nothing but the status"


def test_what_apprise_logs_is_not_reported(
    options: ChannelOptions, notice: MakeNotice, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("apprise")

    def request(self: requests.Session, *args: Any, **options: Any) -> requests.Response:
        logger.warning("The service has %s to say", notice().mentions[0].body)
        logger.error(f"The service wanted to say: {notice().mentions[0].body}")
        logger.error(notice().mentions[0].title)
        raise OSError(notice().mentions[0].body)

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(RetryableError) as error:
        AppriseTransport("json://example.com", None, options).send(notice())
    assert str(error.value) == "json:// not delivered: the service gave no reason"


def test_why_a_connection_failed_is_reported(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    def reason(url: str) -> str:
        with pytest.raises(RetryableError) as error:
            AppriseTransport(url, None, options).send(notice())
        return str(error.value).partition(" not delivered: ")[2]

    (closed,) = free_ports(1)
    assert reason(f"json://127.0.0.1:{closed}") == "connection refused"
    assert reason(f"mailto://127.0.0.1:{closed}/?from=a@example.com&to=b@example.com") == "connection refused"
    assert reason("json://nowhere.invalid") == "its name cannot be resolved"
    assert reason(f"jsons://127.0.0.1:{http.port}").startswith("its certificate or TLS setup was not accepted")
    http.answer(Answer(fault="reset"))
    assert reason(f"json://127.0.0.1:{http.port}") == "connection reset by peer"


def test_refused_recipients_are_not_named(mail: MailSink, options: ChannelOptions, notice: MakeNotice) -> None:
    mail.refused = {"canary@example.com"}
    url = f"mailto://127.0.0.1:{mail.port}/?from=overheard@example.com&to=canary@example.com"
    with pytest.raises(RetryableError, match=r"^mailto:// not delivered: the service gave no reason$") as error:
        AppriseTransport(url, None, options).send(notice())
    assert "canary" not in str(error.value)


def test_outside_a_send_apprise_logs_as_usual(
    http: HttpSink, options: ChannelOptions, notice: MakeNotice, caplog: pytest.LogCaptureFixture
) -> None:
    AppriseTransport(f"json://127.0.0.1:{http.port}/", None, options).send(notice())
    logging.getLogger("apprise").warning("another user's")
    assert "another user's" in caplog.text


def test_many_recipients_fit_into_the_deadline(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    url = f"ntfy://127.0.0.1:{http.port}/a/b/c"
    started = time.monotonic()
    AppriseTransport(url, None, options).send(notice())
    assert len(http.wait_for(3)) == 3
    assert time.monotonic() - started < 5  # Apprise itself would take 11 s


@pytest.mark.parametrize("fault", ["hang", "drip headers", "drip body", "endless body"])
def test_a_slow_receiver_ends_at_the_deadline(http: HttpSink, notice: MakeNotice, fault: str) -> None:
    http.answer(Answer(fault=fault))  # type: ignore[arg-type]
    quick = ChannelOptions(allow_private=True, timeout=0.5, user_agent="x")
    started = time.monotonic()
    with pytest.raises(RetryableError):
        AppriseTransport(f"json://127.0.0.1:{http.port}/", None, quick).send(notice())
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "url",
    ["nosuch://canary", "slack://canary", "discord://", "json://", "file:///etc/passwd"],
)
def test_a_url_that_apprise_refuses_is_refused_without_showing_it(url: str, options: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match=r"https://appriseit\.com/services|write https://") as error:
        AppriseTransport(url, None, options)
    assert "canary" not in str(error.value)
    assert "Could not load" not in str(error.value)


def test_threads_may_share_a_transport(http: HttpSink, options: ChannelOptions, notice: MakeNotice) -> None:
    transport = AppriseTransport(f"json://127.0.0.1:{http.port}/", None, options)
    failures: list[str] = []
    http.always = lambda request: Answer(500 if request.headers["webhook-id"] == "dlv_17" else 200)

    def send(which: int) -> None:
        one = notice() if which % 2 else Notice("other", "mention.created", "acme", notice().mentions)
        try:
            transport.send(one)
        except RetryableError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 4
    assert all("500" in failure for failure in failures)


def test_nothing_is_imported_before_the_first_channel() -> None:
    code = "import sys, overheard.channels.registry as r; sys.exit('apprise' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("url", [*CHATS.values(), "tgram://3232235777:abcdefg_hijklmnop/12315544/"])
def test_numbers_in_a_token_are_not_taken_for_an_address(url: str, strict: ChannelOptions) -> None:
    AppriseTransport(url, None, strict)
