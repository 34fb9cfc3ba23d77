"""What the services get that Apprise sends to: the same words as everywhere, as text or CommonMark."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from overheard.channels.rendering.text_versions import Flavour, count_only, text_versions
from overheard.channels.sample_notice import sample_notice
from overheard.notices import Alert, AlertedIncident, Notice, PublicMention, WorkspaceReport
from tests.hostile import NOW, counted, hostile_mention, mentions, single, texts

MakeNotice = Callable[..., Notice]
AT = 1_772_600_900.0  # 2026-03-04 05:08:20 UTC
HOSTILE = (
    "{{7*7}} {0.__class__} {% raw %} @everyone <@123> <!channel> [x](https://evil) <img src=x onerror=alert(1)> %s"
)
LINK = "https://www.reddit.com/r/python/comments/xyz/which/abc/"
FLAVOURS: tuple[Flavour, ...] = ("text", "markdown")
MARKDOWN = MarkdownIt("commonmark", {"html": True})


def fullest(notice: Notice, flavour: Flavour, now: float = AT) -> str:
    return next(text_versions(notice, now, flavour))


def within(notice: Notice, flavour: Flavour, limit: int) -> str:
    """Return the fullest text of at most ``limit`` characters."""
    return next(text for text in text_versions(notice, AT, flavour) if len(text) <= limit)


def test_a_mention_as_text(notice: MakeNotice) -> None:
    assert fullest(msgspec.structs.replace(notice(), timezone="Europe/Berlin"), "text").splitlines() == [
        "Re: Which database do you use?",
        "",
        "We moved from Rival to acme db last week and it is great.",
        "",
        "r/python · u/alice · 2 min ago, 06:06 · brand",
        "",
        LINK,
    ]


def test_a_mention_as_markdown(notice: MakeNotice) -> None:
    text = fullest(notice(), "markdown")
    assert r"We moved from Rival to **acme db** last week and it is great\." in text
    assert text.endswith(f"\n\n<{LINK}>")
    titled = notice(highlights=(("thread", 6, 14),))
    assert "Re: Which **database** do you use?" in fullest(titled, "markdown").replace("\\", "")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_other_items_with_the_same_link_are_named(flavour: Flavour, notice: MakeNotice) -> None:
    one, other = notice().mentions[0], notice(source="hackernews", place="all").mentions[0]
    text = fullest(Notice("m", "mention.created", "acme", (one, other)), flavour)
    assert "also in Hacker News" in text


def test_a_deleted_author_is_marked(notice: MakeNotice) -> None:
    assert "r/python · [deleted] ·" in fullest(notice(author=None), "text")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_summary_says_how_many_where_and_shows_the_newest_of_each_query(flavour: Flavour) -> None:
    flood = [hostile_mention(n, title=f"Flood {n}", queries=("flood",)) for n in range(1, 10)]
    quiet = hostile_mention(0, title="Quiet 0", queries=("quiet",), place="linux")
    text = fullest(counted("mentions.summary", (quiet, *flood), total=57), flavour, NOW).replace("\\", "")
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[:3] == ["57 more mentions", "r/linux 1, r/python 9", "quiet 1, flood 9"]
    assert re.findall(r"(?:Flood|Quiet) \d", text) == ["Flood 9", "Flood 8", "Flood 7", "Flood 6", "Quiet 0"]
    assert text.endswith("and 52 more")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_digest_has_true_totals_and_counts_what_it_leaves_out(flavour: Flavour) -> None:
    many = tuple(hostile_mention(n, title=f"Number {n}.", body="acme db " * 100) for n in range(200))
    text = within(counted("digest", many, total=250), flavour, 5000)
    assert "250 mentions, 247 more than the 2 days before" in text.replace("\\", "")
    shown = text.count("/comments/xyz/")
    assert 10 < shown < 200
    assert text.endswith(f"{250 - shown} mentions in all are counted above and not shown")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_report_is_its_lines(flavour: Flavour) -> None:
    report = WorkspaceReport("query flooding", "brand", "title", ("It found 900 a day.", "Most are in r/python."))
    text = fullest(Notice("r", "workspace.report", "acme", (), report=report), flavour).replace("\\", "")
    assert [line.rstrip() for line in text.splitlines()] == ["It found 900 a day.", "Most are in r/python."]


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("limit", [60, 160, 280, 500, 2000])
def test_a_mention_fits_and_keeps_its_link(flavour: Flavour, limit: int, notice: MakeNotice) -> None:
    assert LINK in within(notice(body="acme db " * 2000, title="T " * 200), flavour, limit)


def test_where_not_one_fits_only_their_number_is_shown() -> None:
    assert count_only(counted("digest", (hostile_mention(),), total=500)) == "500 mentions, not shown here"
    assert count_only(single(hostile_mention())) == "1 mention, not shown here"


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("field", ["title", "body", "author", "place", "queries", "permalink"])
def test_strangers_text_stays_text(flavour: Flavour, field: str) -> None:
    hostile = hostile_mention(**{field: (HOSTILE,) if field == "queries" else HOSTILE, "highlights": ()})
    for notice in (single(hostile), counted("digest", (hostile,)), counted("mentions.summary", (hostile,))):
        for shown in text_versions(notice, NOW, flavour):
            for harmful in ("<@123>", "<img", "@everyone", "](https"):
                assert harmful not in shown


def test_strangers_text_is_shown_in_full(notice: MakeNotice) -> None:
    assert "{% raw %} @everyone <@123> <!channel> x" in fullest(notice(body=HOSTILE), "text").replace("\u200b", "")


@pytest.mark.thorough
@settings(max_examples=100, deadline=None)
@given(st.lists(mentions(), min_size=1, max_size=8), st.sampled_from(["single", "mentions.summary", "digest"]))
def test_no_stranger_writes_markdown(several: list[PublicMention], kind: str) -> None:
    notice = single(*several) if kind == "single" else counted(kind, tuple(several), total=1000)
    for text in text_versions(notice, NOW, "markdown"):
        assert_ours(text)
        assert kind == "single" or "more" in text, "what is left out is counted"


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@given(st.lists(texts(), max_size=12), texts())
def test_no_report_or_alert_writes_markdown(lines: list[str], name: str) -> None:
    report = WorkspaceReport("query flooding", name, name, tuple(lines))
    incidents = tuple(AlertedIncident(name, 3, tuple(lines), "2026-11-27T09:00:00Z", line) for line in lines)
    for notice in (
        Notice("r", "workspace.report", "acme", (), report=report),
        Notice("a", "alert", "", (), alert=Alert(name, incidents)),
    ):
        for text in text_versions(notice, NOW, "markdown"):
            assert_ours(text)


def assert_ours(text: str) -> None:
    """Refuse any markup but bold words and plain addresses."""
    pending: list[Token] = list(MARKDOWN.parse(text))
    ours = {"paragraph_open", "paragraph_close", "inline", "text", "text_special", "softbreak", "hardbreak"}
    ours |= {"strong_open", "strong_close", "link_open", "link_close"}
    while pending:
        token = pending.pop()
        assert token.type in ours, token
        assert token.type != "link_open" or token.markup == "autolink"
        pending += token.children or []


def test_the_sample_says_that_it_is_a_test() -> None:
    assert "test message from Overheard" in fullest(sample_notice("acme"), "text")
