"""Telegram's URLs, answers and rate limits, against the simulated service."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from overheard.channels import ChannelOptions
from overheard.channels.apprise.transport import AppriseTransport
from overheard.channels.recipient_memory import GREYLIST_SECONDS, RecipientMemory
from overheard.channels.registry import open_transport, validate_url
from overheard.channels.telegram import TelegramTransport
from overheard.channels.telegram.address import TelegramChat, telegram_address
from overheard.errors import ChannelGone, DeliveryRefused, PartlyRefused, PermanentError, RetryableError
from overheard.notices import Notice, NoticeLinks
from overheard.simulators.chats.telegram import TelegramSimulator
from overheard.simulators.http.injected_failures import InjectedFailure

MakeNotice = Callable[..., Notice]
BOT = "123456789:canary-Token_x"
NOW = 1_772_600_900.0  # 2026-03-04 05:08:20 UTC


@pytest.fixture
def telegram() -> Iterator[TelegramSimulator]:
    with TelegramSimulator(clock=lambda: NOW) as simulator:
        yield simulator


@pytest.fixture
def send(telegram: TelegramSimulator) -> Callable[[str, Notice], None]:
    options = ChannelOptions(
        allow_private=False, timeout=20.0, user_agent="x", services={"telegram": telegram.url}, clock=lambda: NOW
    )

    def send(url: str, notice: Notice) -> None:
        transport = open_transport(url, None, options=options)
        assert isinstance(transport, TelegramTransport)
        transport.send(notice)

    return send


@pytest.mark.parametrize(
    ("path", "chats"),
    [
        ("12315544", [(12315544, None)]),
        ("12315544/", [(12315544, None)]),
        ("-1001234/@acme", [(-1001234, None), ("@acme", None)]),
        ("acme_news", [("@acme_news", None)]),
        ("%40acme:7", [("@acme", 7)]),
        ("-100:7/5?topic=9", [(-100, 7), (5, 9)]),
        ("-100?thread=9", [(-100, 9)]),
        ("-100%3A7", [(-100, 7)]),
        ("?to=5,@acme", [(5, None), ("@acme", None)]),
        ("5/5", [(5, None)]),
    ],
)
@pytest.mark.parametrize("bot", [BOT, f"bot{BOT}", BOT.replace(":", "%3A")])
def test_a_url_names_a_bot_and_its_chats(bot: str, path: str, chats: list[tuple[int | str, int | None]]) -> None:
    address = telegram_address(f"tgram://{bot}/{path}")
    assert address is not None
    assert (address.token, list(address.chats)) == (BOT, [TelegramChat(*chat) for chat in chats])


@pytest.mark.parametrize(
    "url",
    [
        f"tgram://{BOT}/", f"tgram://{BOT}/5?format=markdown", f"tgram://{BOT}/5?image=yes", f"tgram://{BOT}/5?detect=yes",
        f"tgram://{BOT}/5?mdv=v1&album=yes",
    ],
)  # fmt: skip
def test_what_only_apprise_knows_goes_through_apprise(url: str, strict: ChannelOptions) -> None:
    assert isinstance(open_transport(url, None, options=strict), AppriseTransport)


@pytest.mark.parametrize("url", [f"tgram://{BOT}/5?silent=no&preview=no&detect=no&image=False", f"TGRAM://{BOT}/5"])
def test_stored_urls_of_apprise_are_ours(url: str, strict: ChannelOptions) -> None:
    validate_url(url, options=strict)
    assert open_transport(url, None, options=strict).kind == "telegram"


def test_a_mention_is_a_linked_title_the_excerpt_and_where_it_is_from(
    telegram: TelegramSimulator, send: Callable[..., None], notice: MakeNotice
) -> None:
    send(f"tgram://{BOT}/-100:7?silent=yes", msgspec.structs.replace(notice(), timezone="Europe/Berlin"))
    (message,) = telegram.messages
    assert message.to == "-100"
    link = "https://www.reddit.com/r/python/comments/xyz/which/abc/"
    assert message.content["text"] == (
        f'<b><a href="{link}">Re: Which database do you use?</a></b>\n'
        "We moved from Rival to <b>acme db</b> last week and it is great.\n"
        "<i>r/python · u/alice · 2 min ago, 06:06 · brand</i>"
    )
    assert message.content["link_preview_options"] == {"is_disabled": True}
    assert message.content["message_thread_id"] == 7
    assert message.content["disable_notification"] is True
    assert "reply_markup" not in message.content


def test_other_items_with_the_same_link_are_named(
    telegram: TelegramSimulator, send: Callable[..., None], notice: MakeNotice
) -> None:
    one, other = notice().mentions[0], notice(source="hackernews", place="all", permalink="https://hn.example/1")
    send(f"tgram://{BOT}/5", Notice("m", "mention.created", "acme", (one, other.mentions[0])))
    text = telegram.messages[0].content["text"]
    assert text.endswith('· brand\nalso in <a href="https://hn.example/1">Hacker News</a></i>')


def test_buttons_are_there_once_there_are_addresses(
    telegram: TelegramSimulator, send: Callable[..., None], notice: MakeNotice
) -> None:
    links = NoticeLinks(open="https://overheard.example/m/17", mute="https://overheard.example/m/17/mute")
    send(f"tgram://{BOT}/5", msgspec.structs.replace(notice(), links=links))
    (row,) = telegram.messages[0].content["reply_markup"]["inline_keyboard"]
    assert row == [{"text": "Open", "url": links.open}, {"text": "Mute", "url": links.mute}]


def test_a_group_that_became_a_supergroup_is_followed(
    telegram: TelegramSimulator, send: Callable[..., None], notice: MakeNotice
) -> None:
    telegram.moved[-100] = -1001234
    send(f"tgram://{BOT}/-100", notice())
    assert [message.to for message in telegram.messages] == ["-1001234"]


def test_a_group_s_limit_is_waited_for_as_telegram_says(
    telegram: TelegramSimulator, send: Callable[..., None], notice: MakeNotice
) -> None:
    for _ in range(20):
        send(f"tgram://{BOT}/-100", notice())
    with pytest.raises(RetryableError, match="Telegram answered 429 Too Many Requests") as error:
        send(f"tgram://{BOT}/-100", notice())
    assert error.value.delay == 60
    assert not isinstance(error.value, DeliveryRefused)


def test_the_delay_in_the_body_counts(
    telegram: TelegramSimulator, send: Callable[..., None], notice: MakeNotice
) -> None:
    body = '{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":35}}'
    telegram.faults.inject(InjectedFailure("body", status=429, text=body))
    with pytest.raises(RetryableError) as error:
        send(f"tgram://{BOT}/5", notice())
    assert error.value.delay == 35


def test_refusals_say_what_to_do_and_show_no_secret(
    telegram: TelegramSimulator, send: Callable[..., None], notice: MakeNotice
) -> None:
    telegram.missing.add(7)
    telegram.blocked.add(8)
    telegram.unknown_bots.add("1:canary")
    for url, kind, why in (
        (f"tgram://{BOT}/7", DeliveryRefused, "a person has to write to the bot first"),
        (f"tgram://{BOT}/8", ChannelGone, "the chat has blocked or removed the bot"),
        ("tgram://1:canary/5", DeliveryRefused, "compare the token"),
    ):
        with pytest.raises(kind, match=why) as error:
            send(url, notice())
        assert "canary" not in str(error.value)


def test_of_several_chats_only_those_that_refused_are_tried_again(
    telegram: TelegramSimulator, notice: MakeNotice
) -> None:
    now, memory = [NOW], RecipientMemory()
    options = ChannelOptions(
        allow_private=False, timeout=20.0, user_agent="x", services={"telegram": telegram.url}, clock=lambda: now[0]
    )

    def send(path: str, id: str) -> None:
        TelegramTransport(f"tgram://{BOT}/{path}", None, options, memory=memory).send(
            msgspec.structs.replace(notice(), id=id)
        )

    telegram.missing.add(7)
    for _ in range(2):
        with pytest.raises(PartlyRefused, match=r"^2 of 3 recipients have it: Telegram answered 400 .* no such chat"):
            send("5/7/6", "a")
    telegram.missing.clear()
    send("5/7/6", "a")
    assert [message.to for message in telegram.messages] == ["5", "6", "7"]
    telegram.missing.update((5, 7))
    with pytest.raises(DeliveryRefused, match=r"^Telegram answered 400 .* no such chat"):
        send("5/7", "b")
    telegram.missing.remove(5)
    with pytest.raises(PartlyRefused):
        send("5/7", "b")
    now[0] += GREYLIST_SECONDS
    with pytest.raises(PermanentError, match=r"^1 of 2 recipients have it"):
        send("5/7", "b")
    telegram.blocked.add(8)
    with pytest.raises(PermanentError, match=r"^1 of 2 recipients have it: .* removed the bot"):
        send("5/8", "c")
    assert [message.to for message in telegram.messages[3:]] == ["5", "5"]


def test_the_pace_is_that_of_a_group_or_a_person_and_its_key_no_secret(strict: ChannelOptions) -> None:
    group, same, person = (
        TelegramTransport(f"tgram://{BOT}/{path}", None, strict).pace for path in ("-100", "5/-100", "5")
    )
    assert group == same
    assert group is not None
    assert person is not None
    assert group.per_minute + group.burst <= 20
    assert person.per_minute + person.burst <= 60
    assert group.key != person.key
    assert "canary" not in group.key + person.key


def test_a_preview_is_the_message_without_markup(strict: ChannelOptions, notice: MakeNotice) -> None:
    text = TelegramTransport(f"tgram://{BOT}/5", None, strict).preview(notice(author="@a")).text
    assert text.splitlines()[:2] == [
        "Re: Which database do you use? (https://www.reddit.com/r/python/comments/xyz/which/abc/)",
        "We moved from Rival to acme db last week and it is great.",
    ]
    assert "· u/@a ·" in text
