from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from overheard.channels import ChannelOptions
from overheard.channels.apprise.transport import AppriseTransport
from overheard.channels.email.transport import EmailTransport
from overheard.channels.recipient_memory import GREYLIST_SECONDS, RecipientMemory
from overheard.channels.registry import open_transport
from overheard.errors import DeliveryRefused, InvalidInput, PermanentError, RetryableError
from tests.hostile import HOSTILE, NOW, counted, hostile_mention, single
from tests.servers.mail_server import CONTENT, GREETING, MailFault, MailServer
from tests.unit.channels.email.conftest import HOST

Channel = Callable[..., EmailTransport]
NOTICE = single(hostile_mention())
TEAM = "to=a@example.com,b@example.com,c@example.com"


def sent_to(server: MailServer) -> list[str]:
    return [recipient for mail in server.wait_for(len(server.arrived)) for recipient in mail.recipients]


def test_a_mail_arrives_with_a_text_a_page_and_the_headers_of_a_list(server: MailServer, channel: Channel) -> None:
    channel().send(NOTICE)
    (mail,) = server.wait_for(1)
    message = mail.message
    assert (mail.sender, mail.recipients) == ("overheard@acme.example", ("boss@example.com",))
    assert mail.hello == "acme.example", "not this machine's name"
    assert {name: str(message[name]) for name in message if name != "Content-Type"} == {
        "From": "Overheard · Acme <overheard@acme.example>",
        "To": "boss@example.com",
        "Subject": "r/python: A title",
        "Date": "Fri, 27 Nov 2026 09:05:00 +0000",
        "Message-ID": "<dlv_1@acme.example>",
        "In-Reply-To": str(message["References"]),
        "References": str(message["References"]),
        "List-Id": "acme <acme.overheard.acme.example>",
        "Auto-Submitted": "auto-generated",
        "Precedence": "list",
        "X-Auto-Response-Suppress": "All",
        "X-Overheard-Type": "mention.created",
        "MIME-Version": "1.0",
    }
    assert "https://www.reddit.com/r/python/comments/xyz/which/0/" in mail.part("plain")
    assert "https://www.reddit.com/r/python/comments/xyz/which/0/" in mail.part("html")


@pytest.mark.parametrize("case", HOSTILE)
def test_a_strict_server_takes_every_mail(case: str, server: MailServer, channel: Channel) -> None:
    found = tuple(hostile_mention(number, **HOSTILE[case]) for number in range(30))
    for notice in (single(*found), counted("mentions.summary", found), counted("digest", found)):
        channel().send(notice)
    assert server.broken == []
    for mail in server.wait_for(3):
        assert mail.message["Bcc"] is mail.message["Cc"] is mail.message["Reply-To"] is None
        assert len(mail.data) < 90_000


def test_each_recipient_gets_a_mail_of_its_own(server: MailServer, channel: Channel) -> None:
    channel("to=Ann%20B%20%3Cann@example.com%3E,bo@example.com&cc=cy@example.com&bcc=di@example.com").send(NOTICE)
    first, second = server.wait_for(2)
    assert (first.message["To"], first.recipients[0]) == ("Ann B <ann@example.com>", "ann@example.com")
    assert set(first.recipients[1:]) == {"cy@example.com", "di@example.com"}
    assert second.recipients == ("bo@example.com",)
    assert second.message["Cc"] == "cy@example.com"
    assert b"di@example.com" not in first.data + second.data


def test_a_recipient_that_is_refused_for_good_does_not_stop_the_others(server: MailServer, channel: Channel) -> None:
    server.refused["b@example.com"] = "550 5.1.1 no such mailbox: b@example.com"
    with capture_logs() as lines:
        channel(TEAM).send(NOTICE)
    assert sent_to(server) == ["a@example.com", "c@example.com"]
    assert [(line["event"], line["count"], line["answers"]) for line in lines] == [
        ("recipients refused", 1, ["550 5.1.1"])
    ]
    assert "b@example.com" not in str(lines), "an address is not logged"


def test_a_recipient_that_is_refused_for_now_gets_it_later_and_the_others_once(
    server: MailServer, channel: Channel
) -> None:
    server.refused["b@example.com"] = "450 4.2.0 greylisted"
    for _ in range(2):
        with pytest.raises(DeliveryRefused, match=r"450 4\.2\.0 for 1 of 3 recipients"):
            channel(TEAM).send(NOTICE)
    server.refused.clear()
    channel(TEAM).send(NOTICE)
    assert sent_to(server) == ["a@example.com", "c@example.com", "b@example.com"]
    assert len({mail.message["Message-ID"] for mail in server.wait_for(3)}) == 1


def test_a_server_that_closes_at_a_recipient_has_not_refused_the_recipient(
    server: MailServer, channel: Channel
) -> None:
    server.refused["b@example.com"] = "421 4.7.0 too many"
    with pytest.raises(RetryableError, match="421") as raised:
        channel(TEAM).send(NOTICE)
    assert type(raised.value) is RetryableError
    server.refused.clear()
    channel(TEAM).send(NOTICE)
    assert sent_to(server) == ["a@example.com", "b@example.com", "c@example.com"]


def test_a_full_mailbox_holds_the_others_up_for_an_hour_at_most(server: MailServer, channel: Channel) -> None:
    server.refused["b@example.com"] = "452 4.2.2 full"
    with pytest.raises(DeliveryRefused):
        channel(TEAM).send(NOTICE)
    channel(TEAM, now=NOW + GREYLIST_SECONDS).send(NOTICE)
    assert sent_to(server) == ["a@example.com", "c@example.com"]


@pytest.mark.parametrize(("reply", "error"), [("550 5.1.1 no", DeliveryRefused), ("450 4.2.0 later", RetryableError)])
def test_a_mail_that_no_recipient_gets_is_not_delivered(
    reply: str, error: type[Exception], server: MailServer, channel: Channel
) -> None:
    server.refused["boss@example.com"] = reply
    with pytest.raises(error, match=f"{reply[:9]} for 1 of 1 recipients") as raised:
        channel().send(NOTICE)
    assert type(raised.value) is error
    assert "boss" not in str(raised.value)


@pytest.mark.parametrize(
    ("step", "reply", "error"),
    [
        (GREETING, "554 no service", RetryableError),
        (GREETING, "421 busy", RetryableError),
        ("EHLO", "550 no", RetryableError),
        ("MAIL", "451 4.3.0 later", RetryableError),
        ("MAIL", "550 5.7.1 not you", DeliveryRefused),
        ("MAIL", "552 5.3.4 too large", PermanentError),
        ("RCPT", "421 4.7.0 too many", RetryableError),
        ("DATA", "451 4.3.0 later", RetryableError),
        ("DATA", "554 5.5.1 no", DeliveryRefused),
        (CONTENT, "451 4.3.0 later", RetryableError),
        (CONTENT, "554 5.7.1 canary is spam", DeliveryRefused),
        (CONTENT, "552 5.3.4 too large", PermanentError),
    ],
)
def test_what_a_server_answers_decides_what_follows(
    step: str, reply: str, error: type[Exception], server: MailServer, channel: Channel
) -> None:
    server.replies[step] = reply
    with pytest.raises(error) as raised:
        channel().send(NOTICE)
    assert type(raised.value) is error
    assert "canary" not in str(raised.value)
    assert server.wait_for(0) == []
    if step != "EHLO":  # HELO is said instead
        assert reply[:3] in str(raised.value)


@pytest.mark.parametrize("step", [GREETING, "EHLO", "MAIL", "RCPT", "DATA", CONTENT])
@pytest.mark.parametrize("fault", ["hang", "half", "drip", "close"])
def test_a_broken_server_ends_with_the_deadline(
    step: str, fault: MailFault, server: MailServer, channel: Channel
) -> None:
    server.faults[step] = fault
    started = time.monotonic()
    with pytest.raises(RetryableError):
        channel(timeout=0.4).send(NOTICE)
    assert time.monotonic() - started < 5


def test_an_endless_answer_is_cut_off(server: MailServer, channel: Channel) -> None:
    server.faults[GREETING] = "endless"
    with pytest.raises(RetryableError, match="sent more than"):
        channel().send(NOTICE)
    assert server.flooded < 64 * 2**20


def test_a_slow_goodbye_is_not_waited_for(server: MailServer, channel: Channel) -> None:
    server.faults["QUIT"] = "hang"
    started = time.monotonic()
    channel().send(NOTICE)
    assert time.monotonic() - started < 5


class TestEncryption:
    @pytest.fixture(params=["starttls", "ssl"])
    def mode(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def send(self, trusting: ssl.SSLContext) -> Callable[..., None]:
        def send(
            server: MailServer, mode: str, tls: ssl.SSLContext | None = None, host: str = HOST, **auth: str
        ) -> None:
            user = f"{auth['user']}:{auth['password']}@" if auth else ""
            url = f"mailtos://{user}{host}:{server.port}/?from=o@acme.example&to=boss@example.com&mode={mode}"
            options = ChannelOptions(allow_private=True, timeout=20.0, user_agent="x")
            where: Any = lambda host, port: ["127.0.0.1"]  # noqa: E731
            EmailTransport(url, None, options, memory=RecipientMemory(), resolve=where, tls=tls or trusting).send(
                NOTICE
            )

        return send

    def test_it_is_checked_against_the_name(
        self, mode: str, server_tls: ssl.SSLContext, send: Callable[..., None]
    ) -> None:
        with MailServer(tls=server_tls, implicit=mode == "ssl", login=("me", "s3cret")) as server:
            send(server, mode, user="me", password="s3cret")
            (mail,) = server.wait_for(1)
            assert (mail.encrypted, mail.user) == (True, "me")
            with pytest.raises(RetryableError, match="certificate"):
                send(server, mode, host="other.example.com", user="me", password="s3cret")
            with pytest.raises(RetryableError, match="certificate"):
                send(server, mode, tls=ssl.create_default_context(), user="me", password="s3cret")
            assert len(server.arrived) == 1

    def test_a_wrong_login_is_retried_without_showing_it(
        self, mode: str, server_tls: ssl.SSLContext, send: Callable[..., None]
    ) -> None:
        with MailServer(tls=server_tls, implicit=mode == "ssl", login=("me", "s3cret")) as server:
            with pytest.raises(RetryableError, match=r"refused the login \(535 5\.7\.8\)") as raised:
                send(server, mode, user="me", password="canary")
            assert type(raised.value) is RetryableError
            assert "canary" not in str(raised.value)
            with pytest.raises(RetryableError, match="cannot carry"):
                send(server, mode, user="me", password="schl%C3%BCssel")

    def test_a_server_without_a_known_login_is_named_as_such(
        self, mode: str, server_tls: ssl.SSLContext, send: Callable[..., None]
    ) -> None:
        with MailServer(tls=server_tls, implicit=mode == "ssl", login=("me", "s3cret")) as server:
            server.login_offer = "XOAUTH2"
            with pytest.raises(
                RetryableError, match=r"offers no login that is known here \(CRAM-MD5, PLAIN or LOGIN\)"
            ):
                send(server, mode, user="me", password="s3cret")

    def test_nothing_is_sent_in_the_clear_to_a_server_without_starttls(
        self, server: MailServer, send: Callable[..., None]
    ) -> None:
        with pytest.raises(RetryableError, match="does not offer the encryption"):
            send(server, "starttls", user="me", password="s3cret")
        assert len(server.arrived) == 0


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("mailto://me:pw@gmail.com", EmailTransport),
        ("mailtos://me:pw@example.com?smtp=m.example.com&to=a@b.co&name=J&overflow=split&format=html", EmailTransport),
        ("mailtos://me:pw@example.com?verify=no", AppriseTransport),
        ("mailto://me:pw@example.com?+X-Header=1", AppriseTransport),
        ("mailto://me:pw@example.com?format=text", AppriseTransport),
        ("mailto://me:pw@example.com?pgp=sign", AppriseTransport),
        ("mailgun://me@example.com/0123456789abcdef0123456789abcdef-01234567-01234567", AppriseTransport),
    ],
)  # fmt: skip
def test_an_option_that_only_apprise_knows_is_left_to_apprise(url: str, kind: type) -> None:
    options = ChannelOptions(allow_private=False, timeout=1, user_agent="x")
    assert type(open_transport(url, None, options=options)) is kind


def test_a_private_server_is_refused_in_every_place(strict: ChannelOptions) -> None:
    for url in ("mailto://127.0.0.1/?from=a@b.co&to=c@d.co", "mailto://me:pw@example.com?smtp=10.0.0.1"):
        with pytest.raises(InvalidInput, match="allow_private"):
            open_transport(url, None, options=strict)


def test_a_url_without_a_usable_recipient_is_refused(strict: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match="none of the recipients"):
        open_transport("mailto://me:pw@example.com?to=nobody", None, options=strict)


def test_a_notice_without_a_thread_refers_to_none(server: MailServer, channel: Channel) -> None:
    channel().send(counted("digest", (hostile_mention(),)))
    assert server.wait_for(1)[0].message["References"] is None


def test_a_preview_is_what_would_be_sent(server: MailServer, channel: Channel) -> None:
    preview = channel().preview(NOTICE)
    channel().send(NOTICE)
    (mail,) = server.wait_for(1)
    assert preview.text == f"Subject: {mail.message['Subject']}\n\n{mail.part('plain')}"
    assert preview.html == mail.part("html")
