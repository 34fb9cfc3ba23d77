"""ntfy's URLs, answers and logins, against the simulated server."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import msgspec
import pytest

from overheard.channels import ChannelOptions
from overheard.channels.apprise.transport import AppriseTransport
from overheard.channels.ntfy import NtfyTransport
from overheard.channels.ntfy.address import ntfy_address
from overheard.channels.recipient_memory import RecipientMemory
from overheard.channels.registry import open_transport, validate_url
from overheard.errors import DeliveryRefused, InvalidInput, PartlyRefused, RetryableError
from overheard.notices import Notice, NoticeLinks
from overheard.simulators.chats.ntfy import NtfySimulator

MakeNotice = Callable[..., Notice]
NOW = 1_772_600_900.0  # 2026-03-04 05:08:20 UTC
BASIC = "Basic " + base64.b64encode(b"me:canary").decode()


@pytest.fixture
def ntfy() -> Iterator[NtfySimulator]:
    with NtfySimulator(clock=lambda: NOW) as simulator:
        yield simulator


@pytest.fixture
def options(ntfy: NtfySimulator) -> ChannelOptions:
    return ChannelOptions(
        allow_private=True, timeout=20.0, user_agent="x", services={"ntfy": ntfy.url}, clock=lambda: NOW
    )


@pytest.mark.parametrize(
    ("url", "server", "topics"),
    [
        ("https://ntfy.sh/Acme", None, ["Acme"]),
        ("http://ntfy.sh/acme", None, ["acme"]),
        ("ntfy://Acme_topic", None, ["Acme_topic"]),
        ("ntfys://ntfy.sh/a/b", None, ["a", "b"]),
        ("ntfy://a/b?mode=cloud", None, ["a", "b"]),
        ("ntfys://ntfy.example.com/a", "https://ntfy.example.com/", ["a"]),
        ("ntfy://ntfy.example.com:8080/a/b/", "http://ntfy.example.com:8080/", ["a", "b"]),
        ("ntfy://ntfy.example.com?to=a,b&mode=private", "http://ntfy.example.com/", ["a", "b"]),
    ],
)
def test_a_url_names_a_server_and_its_topics(url: str, server: str | None, topics: list[str]) -> None:
    address = ntfy_address(url)
    assert address is not None
    assert (address.server, list(address.topics)) == (server, topics)


@pytest.mark.parametrize(
    ("url", "authorization"),
    [
        ("ntfys://host.example/a", ""),
        ("ntfys://me:canary@host.example/a", BASIC),
        ("ntfys://me:c%61nary@host.example/a?auth=basic", BASIC),
        ("https://me:canary@ntfy.sh/a", BASIC),
        ("ntfys://tk_canary@host.example/a", "Bearer tk_canary"),
        ("ntfys://host.example/a?token=canary", "Bearer canary"),
        ("ntfys://:canary@host.example/a?auth=token", "Bearer canary"),
    ],
)
def test_a_url_may_have_a_login_or_a_token(url: str, authorization: str) -> None:
    address = ntfy_address(url)
    assert address is not None
    assert address.authorization == authorization


@pytest.mark.parametrize(
    "url",
    [
        "ntfy://acme?delay=1h", "ntfys://host.example/a?email=me@example.com", "ntfy://acme?click=https://x.example/",
        "ntfy://acme?priority=whatever", "ntfy://acme?format=html",
    ],
)  # fmt: skip
def test_what_only_apprise_knows_goes_through_apprise(url: str, strict: ChannelOptions) -> None:
    assert isinstance(open_transport(url, None, options=strict), AppriseTransport)


@pytest.mark.parametrize(
    ("word", "number"), [("max", 5), ("5", 5), ("high", 4), ("default", 3), ("low", 2), ("min", 1)]
)
def test_the_priority_of_the_url_is_that_of_the_message(
    word: str, number: int, ntfy: NtfySimulator, options: ChannelOptions, notice: MakeNotice
) -> None:
    open_transport(f"https://ntfy.sh/acme?priority={word}&tags=dog", None, options=options).send(notice())
    assert (ntfy.messages[0].content["priority"], ntfy.messages[0].content["tags"]) == (
        number,
        ["speech_balloon", "dog"],
    )


def test_a_mention_is_a_title_that_leads_to_it_and_the_excerpt(
    ntfy: NtfySimulator, options: ChannelOptions, notice: MakeNotice
) -> None:
    found = msgspec.structs.replace(notice(), timezone="Europe/Berlin")
    open_transport("https://ntfy.sh/acme", None, options=options).send(found)
    (message,) = ntfy.messages
    assert message.to == "acme"
    assert message.content == {
        "topic": "acme",
        "title": "Re: Which database do you use?",
        "message": "We moved from Rival to **acme db** last week and it is great.  \n"
        "r/python · u/alice · 2 min ago, 06:06 · brand",
        "markdown": True,
        "tags": ["speech_balloon"],
        "sequence_id": "dlv_17",
        "click": "https://www.reddit.com/r/python/comments/xyz/which/abc/",
    }


def test_buttons_are_there_once_there_are_addresses(
    ntfy: NtfySimulator, options: ChannelOptions, notice: MakeNotice
) -> None:
    links = NoticeLinks(*(f"https://overheard.example/{name}" for name in ("open", "useful", "noise", "mute")))
    transport = open_transport("https://ntfy.sh/acme", None, options=options)
    transport.send(msgspec.structs.replace(notice(), links=links))
    content = ntfy.messages[0].content
    assert [(action["action"], action["label"], action["url"]) for action in content["actions"]] == [
        ("view", "Useful", links.useful),
        ("view", "Noise", links.noise),
        ("view", "Mute", links.mute),
    ]
    assert content["click"].startswith("https://www.reddit.com/")


def test_a_server_of_one_s_own_gets_the_login(ntfy: NtfySimulator, options: ChannelOptions, notice: MakeNotice) -> None:
    ntfy.protect("acme", user="me", password="canary")
    at = ntfy.url.removeprefix("http://").rstrip("/")
    open_transport(f"ntfy://me:canary@{at}/acme", None, options=options).send(notice())
    assert len(ntfy.messages) == 1
    with pytest.raises(DeliveryRefused, match=r"^127\.0\.0\.1 answered 403 Forbidden$"):
        open_transport(f"ntfy://me:wrong-canary@{at}/acme", None, options=options).send(notice())


def test_a_private_server_is_refused_unless_it_is_the_operator_s(
    ntfy: NtfySimulator, options: ChannelOptions, notice: MakeNotice
) -> None:
    strict = msgspec.structs.replace(options, allow_private=False)
    with pytest.raises(InvalidInput, match=r"points at 127\.0\.0\.1") as error:
        validate_url("ntfy://me:canary@127.0.0.1/acme", options=strict)
    assert "canary" not in str(error.value)
    NtfyTransport("https://ntfy.sh/acme", None, strict).send(notice())
    assert len(ntfy.messages) == 1


def test_the_limit_is_waited_for(ntfy: NtfySimulator, options: ChannelOptions, notice: MakeNotice) -> None:
    transport = NtfyTransport("https://ntfy.sh/acme", None, options)
    for _ in range(60):
        transport.send(notice())
    with pytest.raises(RetryableError, match="429") as error:
        transport.send(notice())
    assert not isinstance(error.value, DeliveryRefused)
    assert transport.pace is not None
    assert transport.pace.burst <= 60


def test_of_several_topics_only_one_that_refused_is_tried_again(
    ntfy: NtfySimulator, options: ChannelOptions, notice: MakeNotice
) -> None:
    ntfy.protect("b", token="other")
    transport = NtfyTransport("ntfys://ntfy.sh/a/b/c", None, options, memory=RecipientMemory())
    for _ in range(2):
        with pytest.raises(PartlyRefused, match=r"^2 of 3 recipients have it: ntfy\.sh answered 403"):
            transport.send(notice())
    assert [message.to for message in ntfy.messages] == ["a", "c"]


def test_channels_of_one_login_share_a_pace_whose_key_is_no_secret(options: ChannelOptions) -> None:
    keys = [
        NtfyTransport(url, None, options).pace
        for url in ("https://ntfy.sh/a", "ntfy://b", "https://me:canary@ntfy.sh/a", "ntfys://h.example/a")
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert "canary" not in str(keys)


def test_a_preview_is_the_message(options: ChannelOptions, notice: MakeNotice) -> None:
    text = NtfyTransport("https://ntfy.sh/acme", None, options).preview(notice()).text
    assert text.splitlines() == [
        "Re: Which database do you use?",
        "https://www.reddit.com/r/python/comments/xyz/which/abc/",
        "We moved from Rival to **acme db** last week and it is great.  ",
        "r/python · u/alice · 2 min ago, 05:06 · brand",
    ]
