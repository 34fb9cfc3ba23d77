"""Whatever strangers write, a message is within Discord's limits, pings and formats nothing, and shows the hit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard.channels import ChannelOptions
from overheard.channels.discord import DiscordTransport
from overheard.channels.discord.embeds import embed_of
from overheard.notices import Alert, AlertedIncident, Notice, WorkspaceReport
from overheard.simulators.chats.discord import DiscordSimulator, pings, problems
from tests.golden import assert_golden
from tests.hostile import HOSTILE, NOW, counted, hostile_mention, mentions, single, texts

GOLDEN = Path(__file__).parent / "golden"
REPORT = WorkspaceReport("channel failing", "team", "The channel “team” fails", ("For six hours now.",))
LINK = re.compile(r"(?<!\\)\[(?:[^\[\]\\]|\\.)*\]\(https?://[^()\s]+\)")


def readable_embed(notice: Notice) -> str:
    """Return an embed as it is sent, a line for each field and line, with what is invisible written out."""
    embed = embed_of(notice, NOW)
    fields = {**embed, "footer": embed.get("footer", {}).get("text", "")}
    lines = [f"{name}: {line}" for name, value in fields.items() for line in str(value).split("\n")]
    return "\n".join(line.replace("\u200b", "⁞") for line in lines) + "\n"


@pytest.mark.parametrize("case", HOSTILE)
def test_bad_input_is_shown_harmlessly(case: str) -> None:
    notice = single(hostile_mention(**HOSTILE[case]))
    assert_golden(GOLDEN / f"{case}.txt", readable_embed(notice))
    assert_strict(notice)


@pytest.mark.parametrize("kind", ["mentions.summary", "digest"])
def test_many_bad_inputs_are_shown_harmlessly(kind: str) -> None:
    notice = counted(kind, tuple(hostile_mention(**case) for case in HOSTILE.values()), total=57)
    assert_golden(GOLDEN / f"{kind}.txt", readable_embed(notice))
    assert_strict(notice)


def test_every_message_of_bad_input_is_accepted() -> None:
    with DiscordSimulator() as discord:
        options = ChannelOptions(
            allow_private=False, timeout=20.0, user_agent="test", services={"discord": discord.url}
        )
        for number, case in enumerate(HOSTILE.values()):
            url = f"https://discord.com/api/webhooks/{number}/token"
            DiscordTransport(url, None, options).send(single(hostile_mention(**case)))
        assert (len(discord.messages), discord.refusals) == (len(HOSTILE), [])
        assert [pings(message.content) for message in discord.messages] == [[] for _ in HOSTILE]


def test_a_name_of_which_nothing_is_visible_leaves_no_empty_footer() -> None:
    assert_strict(Notice("1", "workspace.report", "acme", (), report=REPORT, name="\u202e"))


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(st.lists(mentions(), min_size=1, max_size=12), st.sampled_from(["single", "mentions.summary", "digest"]))
def test_any_mentions_make_a_message_within_the_limits(several: list[Any], kind: str) -> None:
    notice = single(*several) if kind == "single" else counted(kind, tuple(several), total=1000)
    assert_strict(notice)
    assert kind == "single" or "more" in str(embed_of(notice, NOW))


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(st.lists(texts(), max_size=15), texts())
def test_any_report_or_alert_is_within_the_limits(lines: list[str], name: str) -> None:
    report = WorkspaceReport("query flooding", name, name, tuple(lines))
    assert_strict(Notice("1", "workspace.report", "acme", (), report=report))
    incidents = tuple(AlertedIncident(line, 3, (*lines, name), "2026-11-27T09:00:00Z", name) for line in lines * 2)
    assert_strict(Notice("1", "alert", "acme", (), alert=Alert(name, incidents)))


def assert_strict(notice: Notice) -> None:
    """Check Discord's limits, and that nothing is a command, a foreign link or formatting but what we made."""
    embed: dict[str, Any] = embed_of(notice, NOW)
    assert list(problems({"embeds": [embed]})) == []
    for text in (embed["title"], embed["description"]):
        rest = LINK.sub("", text)
        assert not re.search(r"(?<!\\)(\\\\)*[\[\]<>|]", re.sub(r"\\.", "", rest)), text
        assert not re.search(r"https?://", re.sub(r"\\.", "", rest)), text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", text), text
        assert not re.search(r"@(?!\u200b)", re.sub(r"\(https?://[^()\s]+\)", "", text)), text
