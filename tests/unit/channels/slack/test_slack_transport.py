from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from overheard.channels import ChannelOptions
from overheard.channels.apprise.transport import AppriseTransport
from overheard.channels.registry import open_transport, validate_url
from overheard.channels.slack import SlackTransport
from overheard.channels.slack.address import SlackAddress, slack_address
from overheard.errors import ChannelGone, DeliveryRefused, InvalidInput, OverheardError, PermanentError, RetryableError
from overheard.notices import Notice, NoticeLinks
from overheard.simulators.chats.slack import SlackSimulator
from tests.servers.sink import Answer, HttpSink

WEBHOOK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkcanary"
BOT = "slack://xoxb-1-2-abc/#mentions"
PATH = "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkcanary"
API = "/api/chat.postMessage"


@pytest.fixture
def slack() -> Iterator[SlackSimulator]:
    with SlackSimulator() as simulator:
        yield simulator


@pytest.fixture
def at(strict: ChannelOptions) -> Callable[[str], ChannelOptions]:
    return lambda url: msgspec.structs.replace(strict, services={"slack": url, "slack api": url})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (WEBHOOK, SlackAddress(PATH)),
        (f"{WEBHOOK}/?footer=no", SlackAddress(PATH)),
        (WEBHOOK.replace("slack.com", "slack-gov.com"), SlackAddress(PATH, host="hooks.slack-gov.com")),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkcanary", SlackAddress(PATH)),
        ("slack://me@T1JJ3T3L2/A1BRTD4JD/TIiajkcanary/#a", SlackAddress(PATH, channel="#a", username="me")),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkcanary/?to=a&image=no", SlackAddress(PATH, channel="#a")),
        ("slack://xoxb-1-2-abc", SlackAddress(API, "xoxb-1-2-abc", channel="#general")),
        ("slack://xoxb-1-2-abc/@me", SlackAddress(API, "xoxb-1-2-abc", channel="@me")),
        ("slack://xoxb-1-2-abc/+C0123", SlackAddress(API, "xoxb-1-2-abc", channel="C0123")),
        ("slack://xoxb-1-2-abc/C012AB3CD", SlackAddress(API, "xoxb-1-2-abc", channel="C012AB3CD")),
        (
            "slack://xoxb-1-2-abc/%23a:1503435956.000247",
            SlackAddress(API, "xoxb-1-2-abc", channel="#a", thread="1503435956.000247"),
        ),
    ],
)
def test_a_url_as_copied_and_as_apprise_writes_it_is_ours(url: str, address: SlackAddress) -> None:
    assert slack_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkcanary/#a/#b",
        "slack://xoxb-1-2-abc/me@example.com",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkcanary?template=x",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkcanary?verify=no",
        f"{WEBHOOK}?rto=1",
        "slack://T1JJ3T3L2/F1/X1/Y1?mode=workflow",
        "https://hooks.slack.com/workflows/T1/A1/1/canary",
        "slack://T1",
        "https://hooks.slack.com.example.com/services/T1/A1/x",
    ],
)
def test_what_only_apprise_knows_stays_apprises(url: str) -> None:
    assert slack_address(url) is None


def test_a_stored_url_with_several_channels_is_apprises(strict: ChannelOptions) -> None:
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkcanary/#a/#b"
    assert isinstance(open_transport(url, None, options=strict), AppriseTransport)


def test_a_mention_arrives_as_blocks(
    slack: SlackSimulator, at: Callable[[str], ChannelOptions], notice: Callable[..., Notice]
) -> None:
    SlackTransport(WEBHOOK, None, at(slack.url)).send(notice())
    (message,) = slack.wait_for(1)
    section, context = message.content["blocks"]
    link = "https://www.reddit.com/r/python/comments/xyz/which/abc/"
    assert section["text"]["text"] == (
        f"*<{link}|Re: Which database do you use?>*\nWe moved from Rival to *acme db* last week and it is great."
    )
    assert context["elements"][0]["text"].startswith("r/python · u/alice · ")
    assert context["elements"][0]["text"].endswith(" · brand")
    assert (message.content["unfurl_links"], message.content["unfurl_media"]) == (False, False)
    assert message.content["text"].startswith("r/python · Re: Which database do you use? · We moved")
    assert message.headers["webhook-id"] == "dlv_17"


def test_a_bot_posts_to_its_channel_and_thread(
    slack: SlackSimulator, at: Callable[[str], ChannelOptions], notice: Callable[..., Notice]
) -> None:
    SlackTransport(f"{BOT}:1503435956.000247", None, at(slack.url)).send(notice())
    (message,) = slack.wait_for(1)
    assert (message.to, message.content["thread_ts"]) == ("#mentions", "1503435956.000247")
    assert message.headers["authorization"] == "Bearer xoxb-1-2-abc"


def test_buttons_are_shown_only_for_addresses_that_exist(
    slack: SlackSimulator, at: Callable[[str], ChannelOptions], notice: Callable[..., Notice]
) -> None:
    links = NoticeLinks(open="https://overheard.example/m/17", mute="https://overheard.example/m/17/mute")
    SlackTransport(WEBHOOK, None, at(slack.url)).send(msgspec.structs.replace(notice(), links=links))
    (message,) = slack.wait_for(1)
    buttons = message.content["blocks"][-1]["elements"]
    assert [(button["text"]["text"], button["url"]) for button in buttons] == [
        ("Open", links.open),
        ("Mute", links.mute),
    ]


def test_a_preview_is_text_for_a_terminal(strict: ChannelOptions, notice: Callable[..., Notice]) -> None:
    preview = SlackTransport(WEBHOOK, None, strict).preview(notice(body="R&D moved to acme db <!channel>"))
    title, excerpt, context = preview.text.split("\n")
    assert title == "*Re: Which database do you use? (https://www.reddit.com/r/python/comments/xyz/which/abc/)*"
    assert excerpt == "R&D moved to *acme db* <!channel>"
    assert context.startswith("r/python · u/alice · ")


def test_a_rate_limit_is_a_delay(
    slack: SlackSimulator, at: Callable[[str], ChannelOptions], notice: Callable[..., Notice]
) -> None:
    for url in (WEBHOOK, BOT):
        transport = SlackTransport(url, None, at(slack.url))
        transport.send(notice())
        with pytest.raises(RetryableError) as error:
            transport.send(notice())
        assert error.value.delay == 1
        assert transport.pace is not None
        assert (transport.pace.per_minute, transport.pace.burst) == (50, 1)
        assert not any(secret in transport.pace.key for secret in ("canary", "xoxb", "T1JJ3T3L2"))
    slack.advance(1)
    SlackTransport(WEBHOOK, None, at(slack.url)).send(notice())


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (404, "no_service", DeliveryRefused, "make a new one"),
        (403, "action_prohibited", DeliveryRefused, "an administrator"),
        (410, "channel_is_archived", ChannelGone, "archived"),
        (400, "invalid_blocks", DeliveryRefused, "400 Bad Request"),
        (400, "TIiajkcanary", DeliveryRefused, "400 Bad Request"),
        (500, "rollup_error", RetryableError, "rollup_error"),
    ],
)
def test_a_webhooks_answer_is_explained(
    status: int,
    body: str,
    error: type[OverheardError],
    words: str,
    at: Callable[[str], ChannelOptions],
    notice: Callable[..., Notice],
) -> None:
    raised_with(WEBHOOK, Answer(status, body=body.encode()), error, words, at, notice)


@pytest.mark.parametrize(
    ("word", "error", "words"),
    [
        ("invalid_auth", DeliveryRefused, "copy a new one"),
        ("channel_not_found", DeliveryRefused, "invite the app"),
        ("not_in_channel", DeliveryRefused, "invite the app"),
        ("missing_scope", DeliveryRefused, "chat:write"),
        ("is_archived", ChannelGone, "archived"),
        ("ratelimited", RetryableError, "ratelimited"),
        ("msg_too_long", PermanentError, "too long"),
        ("internal_error", RetryableError, "internal_error"),
        ("xoxb-1-2-abc", DeliveryRefused, "a reason that we do not know"),
    ],
)
def test_an_error_of_the_web_api_is_explained(
    word: str,
    error: type[OverheardError],
    words: str,
    at: Callable[[str], ChannelOptions],
    notice: Callable[..., Notice],
) -> None:
    body = f'{{"ok": false, "error": "{word}"}}'.encode()
    raised_with(BOT, Answer(200, body=body), error, words, at, notice)


def raised_with(
    url: str,
    answer: Answer,
    error: type[OverheardError],
    words: str,
    at: Callable[[str], ChannelOptions],
    notice: Callable[..., Notice],
) -> None:
    with HttpSink() as sink:
        sink.answer(answer)
        with pytest.raises(error, match=words) as raised:
            SlackTransport(url, None, at(sink.url)).send(notice())
    assert type(raised.value) is error
    assert not any(secret in str(raised.value) for secret in ("canary", "xoxb", "T1JJ3T3L2"))


def test_a_page_in_place_of_the_web_api_is_retried(
    at: Callable[[str], ChannelOptions], notice: Callable[..., Notice]
) -> None:
    raised_with(BOT, Answer(200, body=b"<html>"), RetryableError, "not as it should", at, notice)


def test_a_secret_is_refused(strict: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match="slack:// channels are not signed"):
        validate_url("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkcanary", "whsec_x", options=strict)
