"""Whatever strangers write, a message is within Telegram's limits, notifies nobody, and shows the hit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard.channels import ChannelOptions
from overheard.channels.telegram import TelegramTransport
from overheard.channels.telegram.message import telegram_text
from overheard.notices import Alert, AlertedIncident, Notice, PublicMention, WorkspaceReport
from overheard.simulators.chats.telegram import MAX_ENTITIES, TEXT_MAX_UNITS, TelegramSimulator
from overheard.simulators.chats.telegram_html import TelegramText, read
from tests.golden import assert_golden
from tests.hostile import HOSTILE, NOW, counted, hostile_mention, mentions, single, texts

GOLDEN = Path(__file__).parent / "golden"
EVERY_CASE = tuple(hostile_mention(number, **case) for number, case in enumerate(HOSTILE.values()))


def assert_strict(text: str) -> TelegramText:
    """Read the text as Telegram does, and refuse what notifies, runs or links to what we did not link to."""
    message = read(text)
    assert message.shown.strip()
    assert message.units <= TEXT_MAX_UNITS
    kinds = {entity["type"] for entity in message.entities}
    assert kinds <= {"bold", "italic", "text_link", "pre"}, "no mention and no command"
    assert len(message.entities) <= MAX_ENTITIES
    for entity in message.entities:
        assert entity.get("url", "https://").startswith(("https://", "http://"))
    message.shown.encode()
    assert not set(message.shown) & set("\x00\x07\x1b\x9b\u202e\u2028")
    return message


@pytest.mark.parametrize("case", HOSTILE)
def test_bad_input_is_shown_harmlessly(case: str) -> None:
    text = telegram_text(single(hostile_mention(**HOSTILE[case])), NOW)
    assert_golden(GOLDEN / f"{case}.txt", text.replace("\u200b", "⁞") + "\n")
    assert_strict(text)


@pytest.mark.parametrize("kind", ["mentions.summary", "digest"])
def test_many_of_bad_input_are_shown_harmlessly(kind: str) -> None:
    text = telegram_text(counted(kind, EVERY_CASE, total=57), NOW)
    assert_golden(GOLDEN / f"{kind}.txt", text.replace("\u200b", "⁞") + "\n")
    assert "more" in assert_strict(text).shown


def test_every_message_of_bad_input_is_accepted() -> None:
    with TelegramSimulator() as telegram:
        options = ChannelOptions(
            allow_private=False, timeout=20.0, user_agent="test", services={"telegram": telegram.url}
        )
        for number, mention in enumerate(EVERY_CASE):
            TelegramTransport(f"tgram://123:abc/{number + 1}", None, options).send(single(mention))
        assert (len(telegram.messages), telegram.refusals) == (len(HOSTILE), [])


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(st.lists(mentions(), min_size=1, max_size=12), st.sampled_from(["single", "mentions.summary", "digest"]))
def test_any_mentions_make_a_message_within_the_limits(several: list[PublicMention], kind: str) -> None:
    notice = single(*several) if kind == "single" else counted(kind, tuple(several), total=1000)
    message = assert_strict(telegram_text(notice, NOW))
    assert kind == "single" or "more" in message.shown, "what is left out is counted"


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(st.lists(texts(), max_size=12), texts())
def test_any_report_and_alert_are_within_the_limits(lines: list[str], name: str) -> None:
    report = WorkspaceReport("query flooding", name, name, tuple(lines))
    assert_strict(telegram_text(Notice("r", "workspace.report", "acme", (), report=report), NOW))
    incidents = tuple(AlertedIncident(name, 3, tuple(lines), "2026-11-27T09:00:00Z", line) for line in lines)
    assert_strict(telegram_text(Notice("a", "alert", "", (), alert=Alert(name, incidents)), NOW))


def test_two_hundred_mentions_fill_the_message_and_the_others_are_counted() -> None:
    many = tuple(hostile_mention(n, title=f"Number {n}", body="acme db " * 100) for n in range(200))
    message = assert_strict(telegram_text(counted("digest", many, total=500), NOW))
    assert message.units > TEXT_MAX_UNITS // 2
    assert "1,000" not in message.shown
    assert message.shown.endswith("mentions in all are counted above and not shown")
