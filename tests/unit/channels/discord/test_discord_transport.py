from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from overheard.channels import ChannelOptions
from overheard.channels.discord import DiscordTransport
from overheard.channels.discord.address import DiscordAddress, discord_address
from overheard.errors import ChannelGone, DeliveryRefused, OverheardError, RetryableError
from overheard.notices import Notice, NoticeLinks
from overheard.simulators.chats.discord import DiscordSimulator
from tests.servers.sink import Answer, HttpSink

WEBHOOK = "https://discord.com/api/webhooks/4174216298/JHMHcanary_-"
ADDRESS = DiscordAddress("4174216298", "JHMHcanary_-")


@pytest.fixture
def discord() -> Iterator[DiscordSimulator]:
    with DiscordSimulator() as simulator:
        yield simulator


@pytest.fixture
def at(strict: ChannelOptions) -> Callable[[str], ChannelOptions]:
    return lambda url: msgspec.structs.replace(strict, services={"discord": url})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (WEBHOOK, ADDRESS),
        (WEBHOOK.replace("discord.com", "ptb.discord.com"), ADDRESS),
        (WEBHOOK.replace("discord.com", "canary.discord.com"), ADDRESS),
        (WEBHOOK.replace("discord.com", "discordapp.com"), ADDRESS),
        (WEBHOOK.replace("/api/", "/api/v10/"), ADDRESS),
        (f"{WEBHOOK}?wait=true&thread_id=77", DiscordAddress(ADDRESS.id, ADDRESS.token, "77")),
        ("discord://4174216298/JHMHcanary_-/?tts=no&footer=yes&avatar=no", ADDRESS),
        ("discord://me@4174216298/JHMHcanary_-?thread=77", DiscordAddress(ADDRESS.id, ADDRESS.token, "77", "me")),
    ],
)
def test_a_url_as_copied_and_as_apprise_writes_it_is_ours(url: str, address: DiscordAddress) -> None:
    assert discord_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        f"{WEBHOOK}/slack",
        f"{WEBHOOK}?thread_id=x",
        "discord://4174216298/JHMHcanary_-?ping=@here",
        "discord://4174216298/JHMHcanary_-?tts=yes",
        "discord://4174216298/JHMHcanary_-?template=x",
        "discord://4174216298",
        "discord://My Discord@4174216298/JHMHcanary_-",
        "https://discord.com/channels/1/2",
    ],
)
def test_what_only_apprise_knows_stays_apprises(url: str) -> None:
    assert discord_address(url) is None


def test_a_mention_arrives_as_an_embed(
    discord: DiscordSimulator, at: Callable[[str], ChannelOptions], notice: Callable[..., Notice]
) -> None:
    DiscordTransport(f"{WEBHOOK}?thread_id=77", None, at(discord.url)).send(notice())
    (message,) = discord.wait_for(1)
    (embed,) = message.content["embeds"]
    assert embed["title"] == "Re: Which database do you use?"
    assert embed["url"] == "https://www.reddit.com/r/python/comments/xyz/which/abc/"
    assert embed["description"] == "We moved from Rival to **acme db** last week and it is great."
    assert embed["timestamp"] == "2026-03-04T05:06:07Z"
    assert embed["footer"]["text"].startswith("r/python · u/alice · ")
    assert embed["footer"]["text"].endswith(" · brand")
    assert message.content["allowed_mentions"] == {"parse": []}
    assert discord.recent_requests() == [
        "POST /api/webhooks/4174216298/JHMHcanary_-?wait=true&thread_id=77",
    ]


def test_links_of_the_web_page_are_shown_if_there_are_any(
    discord: DiscordSimulator, at: Callable[[str], ChannelOptions], notice: Callable[..., Notice]
) -> None:
    links = NoticeLinks(open="https://overheard.example/m/17")
    DiscordTransport(WEBHOOK, None, at(discord.url)).send(msgspec.structs.replace(notice(), links=links))
    (message,) = discord.wait_for(1)
    assert message.content["embeds"][0]["description"].endswith("[Open](https://overheard.example/m/17)")


def test_a_preview_is_text_for_a_terminal(strict: ChannelOptions, notice: Callable[..., Notice]) -> None:
    lines = DiscordTransport(WEBHOOK, None, strict).preview(notice()).text.split("\n")
    assert lines[:2] == [
        "Re: Which database do you use?",
        "https://www.reddit.com/r/python/comments/xyz/which/abc/",
    ]
    assert lines[2] == "We moved from Rival to **acme db** last week and it is great."


def test_a_rate_limit_is_the_longest_delay_that_discord_names(
    discord: DiscordSimulator, at: Callable[[str], ChannelOptions], notice: Callable[..., Notice]
) -> None:
    transport = DiscordTransport(WEBHOOK, None, at(discord.url))
    for _ in range(5):
        transport.send(notice())
    with pytest.raises(RetryableError, match="429") as error:
        transport.send(notice())
    assert error.value.delay is not None
    assert 0 < error.value.delay <= 2
    discord.advance(2)
    transport.send(notice())


@pytest.mark.parametrize(
    ("status", "headers", "body", "delay"),
    [
        (429, {"X-RateLimit-Reset-After": "7.25"}, b"{}", 7.25),
        (429, {"X-RateLimit-Reset-After": "7.25"}, b'{"retry_after": 9.5}', 9.5),
        (429, {"Retry-After": "3", "X-RateLimit-Reset-After": "7.25"}, b"{}", 3.0),
        (400, {"X-RateLimit-Reset-After": "7.25"}, b'{"code": 50035}', None),
        (502, {"X-RateLimit-Reset-After": "7.25"}, b"", None),
    ],
)
def test_when_the_limit_is_reset_counts_if_the_limit_is_what_refused(
    status: int,
    headers: dict[str, str],
    body: bytes,
    delay: float | None,
    at: Callable[[str], ChannelOptions],
    notice: Callable[..., Notice],
) -> None:
    with HttpSink() as sink:
        sink.answer(Answer(status, headers, body))
        with pytest.raises(RetryableError) as error:
            DiscordTransport(WEBHOOK, None, at(sink.url)).send(notice())
        assert error.value.delay == delay


def test_its_pace_stays_within_discords_limits(strict: ChannelOptions) -> None:
    pace = DiscordTransport(WEBHOOK, None, strict).pace
    assert pace is not None
    assert pace.burst <= 5
    assert pace.burst + pace.per_minute <= 30
    assert "canary" not in pace.key


@pytest.mark.parametrize(
    ("status", "code", "error", "words"),
    [
        (404, 10015, ChannelGone, "the webhook was deleted"),
        (404, 10003, DeliveryRefused, "the channel or thread was deleted"),
        (401, 50027, DeliveryRefused, "copy its address again"),
        (400, 50035, DeliveryRefused, "Discord refuses"),
        (400, 220001, DeliveryRefused, "thread_id"),
        (400, "JHMHcanary_-", DeliveryRefused, "400 Bad Request"),
        (502, 0, RetryableError, "502"),
    ],
)
def test_an_answer_is_explained(
    status: int,
    code: int | str,
    error: type[OverheardError],
    words: str,
    at: Callable[[str], ChannelOptions],
    notice: Callable[..., Notice],
) -> None:
    body = msgspec.json.encode({"message": "JHMHcanary_-", "code": code})
    with HttpSink() as sink:
        sink.answer(Answer(status, body=body))
        with pytest.raises(error, match=words) as raised:
            DiscordTransport(WEBHOOK, None, at(sink.url)).send(notice())
    assert type(raised.value) is error
    assert "canary" not in str(raised.value)
