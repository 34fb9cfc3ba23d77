from __future__ import annotations

from collections.abc import Callable

from overheard.channels.rendering import render
from overheard.channels.sample_notice import sample_notice
from overheard.notices import Notice, PublicMention, WorkspaceReport

MakeNotice = Callable[..., Notice]
MakeMention = Callable[..., PublicMention]


def test_a_subject_names_the_place_and_what_matched_or_how_many(notice: MakeNotice, mention: MakeMention) -> None:
    assert render.subject(notice()) == "r/python · “acme db” mentioned"
    assert render.subject(notice(highlights=())) == "r/python · “brand” mentioned"
    marked = notice(body="an ac**me** db", highlights=(("body", 3, 14),))
    assert render.subject(marked) == "r/python · “acme db” mentioned"
    linked = notice(body="[x](https://acme.com)", highlights=(("body", 12, 20),))
    assert render.subject(linked) == "r/python · “acme.com” mentioned"
    assert render.subject(Notice("d", "digest", "acme", (mention(),), omitted=4)) == "acme · digest, 5 mentions"
    assert render.subject(Notice("s", "mentions.summary", "acme", (mention(),))) == "acme · 1 more mention"
    report = WorkspaceReport("query flooding", "brand", "“brand” finds 900 a day", ())
    named = Notice("r", "workspace.report", "acme", (), report=report, name="Acme Inc.")
    assert render.subject(named) == "Acme Inc. · “brand” finds 900 a day"


def test_what_is_found_in_the_thread_s_title_is_in_the_subject(notice: MakeNotice) -> None:
    found = notice(highlights=(("flair", 0, 4), ("thread", 6, 14), ("title", 6, 14)))
    assert render.subject(found) == "r/python · “database” mentioned"


def test_a_subject_is_one_short_line(notice: MakeNotice) -> None:
    evil = "x\r\nBcc: all@example.com\n" * 50
    subject = render.subject(notice(place=evil, body=evil, highlights=(("body", 0, len(evil)),)))
    assert "\n" not in subject
    assert "\r" not in subject
    assert len(subject) < 200


def test_the_sample_says_that_it_is_a_test() -> None:
    sample = sample_notice("acme")
    assert sample.type == "mention.created"
    assert sample.id != sample_notice("acme").id
    assert render.subject(sample) == "r/test · “what a mention looks like” mentioned"
