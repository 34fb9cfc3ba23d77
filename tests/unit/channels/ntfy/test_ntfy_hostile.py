"""Whatever strangers write, a message is within ntfy's limits, is shown as it was written, and shows the hit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from overheard.channels import ChannelOptions
from overheard.channels.ntfy import NtfyTransport
from overheard.channels.ntfy.message import ntfy_message
from overheard.notices import Alert, AlertedIncident, Notice, PublicMention, WorkspaceReport
from overheard.simulators.chats.ntfy import JSON_MAX_BYTES, MESSAGE_MAX_BYTES, NtfySimulator
from tests.golden import assert_golden
from tests.hostile import HOSTILE, NOW, counted, hostile_mention, mentions, single, texts

GOLDEN = Path(__file__).parent / "golden"
EVERY_CASE = tuple(hostile_mention(number, **case) for number, case in enumerate(HOSTILE.values()))
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def assert_strict(message: dict[str, Any]) -> str:
    """Read the message as ntfy's web app does; refuse any markup that is not ours. Return what is shown."""
    assert len(json.dumps(message, ensure_ascii=False).encode()) + 200 <= JSON_MAX_BYTES
    assert 0 < len(message["message"].encode()) <= MESSAGE_MAX_BYTES
    assert "\n" not in message["title"]
    shown = "".join(_shown(token) for token in MARKDOWN.parse(message["message"]))
    assert not set(shown + message["title"]) & set("\x00\x07\x1b\x9b\u202e\u2028\ufffd")
    return shown


def _shown(token: Token) -> str:
    ours = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "softbreak", "hardbreak"}
    assert token.type in ours | {"strong_open", "strong_close", "link_open", "link_close"}, token
    if token.type == "link_open":
        assert str(token.attrs["href"]).startswith(("https://", "http://"))
    return token.content if not token.children else "".join(map(_shown, token.children))


def readable_message(message: dict[str, Any]) -> str:
    lines = [f"{name}: {value}" for name, value in message.items() if name != "message"]
    return "\n".join([*lines, "", message["message"], ""]).replace("\u200b", "⁞")


@pytest.mark.parametrize("case", HOSTILE)
def test_bad_input_is_shown_harmlessly(case: str) -> None:
    message = ntfy_message(single(hostile_mention(**HOSTILE[case])), NOW)
    assert_golden(GOLDEN / f"{case}.txt", readable_message(message))
    shown = assert_strict(message)
    assert "**" not in shown or "**" in str(HOSTILE[case]), "every star of ours is markup"


@pytest.mark.parametrize("kind", ["mentions.summary", "digest"])
def test_many_of_bad_input_are_shown_harmlessly(kind: str) -> None:
    message = ntfy_message(counted(kind, EVERY_CASE, total=57), NOW)
    assert_golden(GOLDEN / f"{kind}.txt", readable_message(message))
    assert "more" in assert_strict(message)


def test_every_message_of_bad_input_is_accepted() -> None:
    with NtfySimulator() as ntfy:
        options = ChannelOptions(allow_private=False, timeout=20.0, user_agent="test", services={"ntfy": ntfy.url})
        for mention in EVERY_CASE:
            NtfyTransport("https://ntfy.sh/acme?priority=high", None, options).send(single(mention))
        assert (len(ntfy.messages), ntfy.refusals) == (len(HOSTILE), [])


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(st.lists(mentions(), min_size=1, max_size=12), st.sampled_from(["single", "mentions.summary", "digest"]))
def test_any_mentions_make_a_message_within_the_limits(several: list[PublicMention], kind: str) -> None:
    notice = single(*several) if kind == "single" else counted(kind, tuple(several), total=1000)
    shown = assert_strict(ntfy_message(notice, NOW))
    assert kind == "single" or "more" in shown, "what is left out is counted"


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(st.lists(texts(), max_size=12), texts())
def test_any_report_and_alert_are_within_the_limits(lines: list[str], name: str) -> None:
    report = WorkspaceReport("query flooding", name, name, tuple(lines))
    assert_strict(ntfy_message(Notice("r", "workspace.report", "acme", (), report=report), NOW))
    incidents = tuple(AlertedIncident(name, 3, tuple(lines), "2026-11-27T09:00:00Z", line) for line in lines)
    assert_strict(ntfy_message(Notice("a", "alert", "", (), alert=Alert(name, incidents)), NOW))


@pytest.mark.parametrize("text", ["3.11 (new!)", "snake_case", "C++ - the 2nd", "a + b", "#python", "v1.0-rc"])
def test_what_is_not_markup_is_not_escaped(text: str) -> None:
    assert ntfy_message(single(hostile_mention(body=f"{text} acme db")), NOW)["message"].startswith(text)
