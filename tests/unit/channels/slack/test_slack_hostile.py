"""Whatever strangers write, a message is within Slack's limits, pings and formats nothing, and shows the hit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard.channels import ChannelOptions
from overheard.channels.slack import SlackTransport
from overheard.channels.slack.blocks import slack_message
from overheard.notices import Alert, AlertedIncident, Notice, WorkspaceReport
from overheard.simulators.chats.slack import SlackSimulator, pings, problems
from tests.golden import assert_golden
from tests.hostile import HOSTILE, NOW, counted, hostile_mention, mentions, single, texts

GOLDEN = Path(__file__).parent / "golden"
LINK = re.compile(r"<https?://[^<>|\s]+\|[^<>]*>")


def content(notice: Notice) -> dict[str, Any]:
    message = slack_message(notice, NOW)
    return json.loads(json.dumps({"text": message.text, "blocks": message.blocks}))


def readable_blocks(notice: Notice) -> str:
    """Return a message as it is sent, one line for each text, with what is invisible written out."""
    message = content(notice)
    lines = [f"text: {message['text']}"]
    for block in message["blocks"]:
        texts = [block["text"]["text"]] if "text" in block else [element["text"] for element in block["elements"]]
        lines += [f"{block['type']}: {line}" for text in texts for line in text.split("\n")]
    return "\n".join(line.replace("\u200b", "⁞") for line in lines) + "\n"


@pytest.mark.parametrize("case", HOSTILE)
def test_bad_input_is_shown_harmlessly(case: str) -> None:
    notice = single(hostile_mention(**HOSTILE[case]))
    assert_golden(GOLDEN / f"{case}.txt", readable_blocks(notice))
    assert_strict(content(notice))


def test_a_summary_of_bad_input_is_shown_harmlessly() -> None:
    notice = counted("mentions.summary", tuple(hostile_mention(**case) for case in HOSTILE.values()), total=57)
    assert_golden(GOLDEN / "summary.txt", readable_blocks(notice))
    assert_strict(content(notice))


def test_a_digest_of_bad_input_is_shown_harmlessly() -> None:
    notice = counted("digest", tuple(hostile_mention(**case) for case in HOSTILE.values()), total=57)
    assert_golden(GOLDEN / "digest.txt", readable_blocks(notice))
    assert_strict(content(notice))


def test_every_message_of_bad_input_is_accepted() -> None:
    with SlackSimulator() as slack:
        options = ChannelOptions(allow_private=False, timeout=20.0, user_agent="test", services={"slack": slack.url})
        for number, case in enumerate(HOSTILE.values()):
            url = f"https://hooks.slack.com/services/T1/B1/X{number}"
            SlackTransport(url, None, options).send(single(hostile_mention(**case)))
        assert (len(slack.messages), slack.refusals) == (len(HOSTILE), [])


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(st.lists(mentions(), min_size=1, max_size=12), st.sampled_from(["single", "mentions.summary", "digest"]))
def test_any_mentions_make_a_message_within_the_limits(several: list[Any], kind: str) -> None:
    notice = single(*several) if kind == "single" else counted(kind, tuple(several), total=1000)
    message = content(notice)
    assert_strict(message)
    shown = json.dumps(message, ensure_ascii=False)
    assert kind == "single" or "more" in shown


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(st.lists(texts(), max_size=15), texts())
def test_any_report_or_alert_is_within_the_limits(lines: list[str], name: str) -> None:
    report = WorkspaceReport("query flooding", name, name, tuple(lines))
    assert_strict(content(Notice("1", "workspace.report", "acme", (), report=report)))
    incidents = tuple(AlertedIncident(line, 3, (*lines, name), "2026-11-27T09:00:00Z", name) for line in lines * 2)
    assert_strict(content(Notice("1", "alert", "acme", (), alert=Alert(name, incidents))))


def assert_strict(message: dict[str, Any]) -> None:
    """Check Slack's limits, and that nothing is a command, a foreign link or formatting but what we made."""
    assert list(problems(message)) == []
    assert pings(message) == []
    for text in marked_texts(message):
        rest = LINK.sub("", text)
        assert not re.search("[<>]", rest), text
        assert not re.search(r"&(?!(amp|lt|gt);)", text), text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", text), text
        assert not re.search(r"@(?!\u200b)", LINK.sub(lambda link: link.group().partition("|")[2], text)), text


def marked_texts(message: dict[str, Any]) -> Iterator[str]:
    yield message["text"]
    for block in message["blocks"]:
        for part in block.get("elements", [block]):
            text = part["text"] if isinstance(part["text"], dict) else part
            if text["type"] == "mrkdwn":
                yield text["text"]
