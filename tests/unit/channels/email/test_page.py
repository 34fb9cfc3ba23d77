from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard.channels.email.page import MAIL_MAX_BYTES, MailPage, mail_page
from overheard.channels.email.wire_size import wire_size
from overheard.notices import Alert, AlertedIncident, Notice, NoticeLinks, WorkspaceReport
from tests.golden import assert_golden
from tests.hostile import HIT, HOSTILE, NOW, counted, hostile_mention, mentions, single

GOLDEN = Path(__file__).parent / "golden"
TAGS = {
    "html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "p", "h1", "b", "a", "br", "span"
}  # fmt: skip
VOID = {"meta", "br"}
FLOOD = "The query “brand” floods"


class PageReader(HTMLParser):
    """Checks that a page is well nested, and collects its tags, links and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.styles: list[str] = []
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        (self.styles if self.open[-1:] == ["style"] else self.shown).append(data)

    @property
    def links(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "href"]

    @property
    def text(self) -> str:
        return " ".join("".join(self.shown).split())


def read(page: MailPage) -> PageReader:
    reader = PageReader()
    reader.feed(page.html)
    reader.close()
    assert reader.open == [], "every tag is closed"
    return reader


def assert_inert(page: MailPage) -> PageReader:
    """Nothing but our own markup, and no link to anything but a plain web address."""
    reader = read(page)
    assert reader.tags <= TAGS
    assert len(reader.styles) == 1
    assert {
        name for _, name, _ in reader.attributes if name.startswith("on") or name in ("src", "id", "action")
    } == set()
    for link in reader.links:
        assert re.fullmatch(r"https?://[A-Za-z0-9.:-]+[!-~]*", link), link
        assert not re.search(r"[<>\"'\s]", link)
    for text in page:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
    assert "\n" not in page.subject
    assert wire_size(page.html) + wire_size(page.text) < MAIL_MAX_BYTES
    return reader


def notices(case: dict[str, Any]) -> Iterator[Notice]:
    found = tuple(hostile_mention(number, **case) for number in range(12))
    yield single(*found)
    yield counted("mentions.summary", found)
    yield counted("digest", found)


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_texts_look_as_they_did_when_they_were_reviewed(case: str) -> None:
    page = mail_page(single(hostile_mention(**HOSTILE[case])), NOW)
    assert_inert(page)
    body = page.html[page.html.index('<tr><td class="pad') : page.html.index("</table>\n<!--[if mso]>")]
    assert_golden(GOLDEN / f"{case}.txt", f"Subject: {page.subject}\n\n{page.text}\n{body}")


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_texts_are_inert_in_every_mail(case: str) -> None:
    for notice in notices(HOSTILE[case]):
        assert_inert(mail_page(notice, NOW))


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(st.lists(mentions(), min_size=1, max_size=6), st.sampled_from(["mention.created", "mentions.summary", "digest"]))
def test_every_mail_is_inert_and_fits(found: list[Any], kind: str) -> None:
    notice = single(*found) if kind == "mention.created" else counted(kind, tuple(found))
    assert_inert(mail_page(notice, NOW))


def test_a_mention_says_where_who_when_and_why_in_both_parts() -> None:
    body = f"We moved to {HIT} last week. It is great."
    page = mail_page(single(hostile_mention(title="Which database?", body=body)), NOW)
    reader = read(page)
    assert page.subject == "r/python: Which database?"
    for text in (reader.text, page.text.replace("*", "")):
        for words in ("Which database?", body, "Comment by u/alice in r/python", "5 min ago, at 10:00", "brand"):
            assert words in text
    assert f"*{HIT}*" in page.text
    assert f">{HIT}</b>" in page.html
    link = "https://www.reddit.com/r/python/comments/xyz/which/0/"
    assert link in page.text
    assert set(reader.links) == {link}


def test_the_other_places_of_a_link_are_named_and_counted() -> None:
    others = tuple(
        hostile_mention(n, source="hackernews", place="all", permalink="https://h.example/") for n in range(13)
    )
    page = mail_page(single(hostile_mention(99), *others), NOW)
    assert read(page).text.count("Hacker News") == 10
    assert "and 3 more" in page.text


def test_a_summary_has_true_totals_and_counts_what_it_does_not_show() -> None:
    found = tuple(hostile_mention(n, place="python" if n % 3 else "linux", queries=(f"q{n % 2}",)) for n in range(40))
    page = mail_page(counted("mentions.summary", found, total=57), NOW)
    assert page.subject == "Acme: 57 more mentions (r/linux 14, r/python 26)"
    for text in (read(page).text, page.text):
        assert "q0 20" in " ".join(text.split())
        assert "The newest 5 of them" in text
        assert "and 52 more" in text


def test_of_very_many_queries_some_are_named_and_the_others_counted() -> None:
    names = tuple(f"query number {number}" for number in range(40))
    page = mail_page(single(hostile_mention(queries=names)), NOW)
    for text in (read(page).text, page.text):
        assert "query number 6 and 33 more" in " ".join(text.split())
    page = mail_page(counted("mentions.summary", tuple(hostile_mention(n, queries=names) for n in range(12))), NOW)
    for text in (read(page).text, page.text):
        assert "query number 5 12 and 34 more queries" in " ".join(text.split())


def test_a_text_has_no_two_empty_lines_where_something_is_left_out() -> None:
    few = (hostile_mention(1), hostile_mention(2, place="linux"))
    for kind in ("mentions.summary", "digest"):
        assert "\n\n\n" not in mail_page(counted(kind, few), NOW).text


def test_a_digest_of_thousands_fits_and_says_what_it_leaves_out() -> None:
    body = "Ünïcödé and = signs " * 30 + HIT
    found = tuple(hostile_mention(n, title=f"Ein Titel №{n} " * 9, body=body, place=f"p{n % 9}") for n in range(3000))
    page = mail_page(counted("digest", found), NOW)
    reader = assert_inert(page)
    assert page.subject.startswith("Acme: 3,000 mentions")
    assert "3,000 mentions" in reader.shown, "the heading is the whole number"
    shown = len(set(reader.links))
    assert 30 < shown <= 100
    assert f"and {3000 - shown:,} more of brand" in reader.text
    assert f"and {3000 - shown:,} more of brand" in page.text
    assert "Thu 26 Nov – Fri 27 Nov (Europe/Berlin)" in reader.text


def test_a_digest_of_several_queries_counts_what_no_row_shows_in_both_parts() -> None:
    found = tuple(hostile_mention(n, queries=("brand", f"q{n % 2}")) for n in range(300))
    page = mail_page(counted("digest", found), NOW)
    shown = len(set(read(page).links))
    for text in (read(page).text, page.text):
        assert f"{300 - shown} mentions in all are counted above and not shown" in text


def test_a_digest_has_a_bar_for_each_day() -> None:
    page = mail_page(counted("digest", (hostile_mention(1), hostile_mention(2))), NOW)
    heights = [int(v) for tag, name, v in read(page).attributes if (tag, name) == ("td", "height")]
    assert heights == [26, 52]
    assert "Thu 26 Nov" in page.text


def test_a_report_is_its_sentences() -> None:
    report = WorkspaceReport("query flooding", "brand", FLOOD, ("It found 1,738 in an hour.", "<b>Tame</b> it."))
    page = mail_page(Notice("r", "workspace.report", "acme", (), report=report, name="Acme"), NOW)
    assert page.subject == f"Acme: {FLOOD}"
    assert "<b>Tame</b> it." in page.text
    assert "<b>Tame</b> it." in assert_inert(page).text


def test_an_alert_names_each_incident_and_counts_the_others() -> None:
    incidents = tuple(
        AlertedIncident("dead letter", n + 1, ("w" * 200,) * 400, "2026-11-27T09:00:00Z", "overheard status")
        for n in range(80)
    )
    page = mail_page(Notice("a", "alert", "", (), alert=Alert("vps", incidents)), NOW)
    reader = assert_inert(page)
    assert "80 kinds of incident" in reader.text
    assert "20 × dead letter" in reader.text
    assert "and 60 more kinds" in reader.text
    assert "and 397 more" in page.text


def test_there_are_buttons_only_for_addresses() -> None:
    links = NoticeLinks(useful="https://o.example/u", mute="https://o.example/m", noise='javascript:"')
    plain = single(hostile_mention())
    page = mail_page(msgspec.structs.replace(plain, links=links), NOW)
    assert read(page).links[2:] == ["https://o.example/u", "https://o.example/m"]
    assert "Mute: https://o.example/m" in page.text
    assert "Mute" not in mail_page(plain, NOW).text


def test_a_page_needs_no_flex_grid_picture_or_foreign_sheet() -> None:
    for notice in notices(HOSTILE["emoji"]):
        html = mail_page(notice, NOW).html
        assert html.startswith("<!DOCTYPE html>\n<html lang=")
        assert not re.search(r"flex|grid|<img|<link|@import|url\(", html)
        for words in ('name="viewport"', 'name="color-scheme"', "prefers-color-scheme: dark", "<title>"):
            assert words in html
