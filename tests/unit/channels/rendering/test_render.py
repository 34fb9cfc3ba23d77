from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from overheard.channels.rendering import render
from overheard.channels.rendering.safe_templates import Flavour
from overheard.channels.sample_notice import sample_notice
from overheard.notices import Notice, PublicMention

MakeNotice = Callable[..., Notice]
MakeMention = Callable[..., PublicMention]
HOSTILE = (
    "{{7*7}} {0.__class__} {% raw %} @everyone <@123> <!channel> [x](https://evil) <img src=x onerror=alert(1)> %s"
)
FLAVOURS: tuple[Flavour, ...] = ("text", "markdown", "html")


def digest(*mentions: PublicMention, omitted: int = 0) -> Notice:
    return Notice(id="d1", type="digest", workspace="acme", mentions=mentions, omitted=omitted)


def test_a_subject_names_the_place_and_what_matched_or_how_many(notice: MakeNotice, mention: MakeMention) -> None:
    assert render.subject(notice()) == "r/python · “acme db” mentioned"
    assert render.subject(notice(highlights=())) == "r/python · “brand” mentioned"
    marked = notice(body="an ac**me** db", highlights=(("body", 3, 14),))
    assert render.subject(marked) == "r/python · “acme db” mentioned"
    linked = notice(body="[x](https://acme.com)", highlights=(("body", 12, 20),))
    assert render.subject(linked) == "r/python · “acme.com” mentioned"
    assert render.subject(digest(mention(), omitted=4)) == "acme · digest, 5 mentions"
    assert render.subject(Notice("s", "mentions.summary", "acme", (mention(),))) == "acme · 1 mention"


def test_what_is_found_in_the_thread_s_title_is_marked_in_the_title(notice: MakeNotice) -> None:
    found = notice(highlights=(("flair", 0, 4), ("thread", 6, 14), ("title", 6, 14)))
    assert render.subject(found) == "r/python · “database” mentioned"
    assert "Re: Which **database** do you use?" in render.body(found, "markdown", 2000).replace("\\", "")


def test_a_mention_is_rendered_as_text(notice: MakeNotice) -> None:
    assert render.body(notice(), "text", 2000).splitlines() == [
        "Re: Which database do you use?",
        "",
        "We moved from Rival to acme db last week and it is great.",
        "",
        "u/alice in r/python · brand",
        "",
        "https://www.reddit.com/r/python/comments/xyz/which/abc/",
    ]


def test_a_mention_is_rendered_as_markdown(notice: MakeNotice) -> None:
    text = render.body(notice(), "markdown", 2000)
    assert r"We moved from Rival to **acme db** last week and it is great\." in text
    assert text.endswith("\n\n<https://www.reddit.com/r/python/comments/xyz/which/abc/>")


def test_a_mention_is_rendered_as_html(notice: MakeNotice) -> None:
    page = render.body(notice(), "html", 20_000)
    assert ">acme db</mark> last week" in page
    assert 'href="https://www.reddit.com/r/python/comments/xyz/which/abc/"' in page


def test_a_deleted_author_is_marked(notice: MakeNotice) -> None:
    assert "[deleted] in r/python" in render.body(notice(author=None), "text", 2000)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_digest_is_grouped_by_place_and_counts(flavour: Flavour, mention: MakeMention) -> None:
    mentions = mention(), mention(place="linux"), mention()
    body = render.body(digest(*mentions), flavour, 20_000)
    assert body.index("r/python") < body.index("r/linux")
    assert "(2)" in body
    assert "more" not in body
    body = render.body(digest(*mentions, omitted=3), flavour, 20_000)
    assert "(2)" not in body, "how many of the other three are of r/python is not known"
    assert "and 3 more, all older" in body


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_the_newest_are_shown_newest_first(flavour: Flavour, mention: MakeMention) -> None:
    many = digest(*(mention(title=f"Number {n}.", body="acme db " * 100) for n in range(60)))
    body = render.body(many, flavour, 8000)
    shown = [int(number) for number in re.findall(r"Number (\d+)", body)]
    assert shown == list(range(59, 59 - len(shown), -1))
    assert f"({len(shown)} of 60)" in body
    assert f"and {60 - len(shown)} more, all older" in body
    assert len(render.body(many, flavour, 8000)) > 7000, "as many as fit"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_where_not_one_fits_only_their_number_is_shown(flavour: Flavour, mention: MakeMention) -> None:
    assert render.longest_fitting(digest(mention(), omitted=499), flavour, lambda text: len(text) <= 40) is None
    assert "500 mentions" in render.count_only(digest(mention(), omitted=499), flavour)
    if flavour != "html":
        assert render.body(digest(mention(), omitted=499), flavour, 40) == "500 mentions, not shown here"
        assert (
            render.count_only(Notice("n", "mention.created", "acme", (mention(),)), flavour)
            == "1 mention, not shown here"
        )


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_no_reader_is_told_to_type_a_command(flavour: Flavour, mention: MakeMention) -> None:
    for body in (
        render.body(digest(mention(), omitted=9), flavour, 20_000),
        render.count_only(digest(mention()), flavour),
    ):
        assert "overheard mentions" not in body


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("field", ["title", "body", "author", "place", "queries", "permalink"])
def test_strangers_text_stays_text(flavour: Flavour, field: str, mention: MakeMention) -> None:
    hostile = mention(**{field: (HOSTILE,) if field == "queries" else HOSTILE, "highlights": ()})
    for notice in (Notice("n", "mention.created", "acme", (hostile,)), digest(hostile)):
        for shown in (render.body(notice, flavour, 20_000), render.subject(notice)):
            assert "49" not in shown.replace("#6b6f76", "")
            assert "<@123>" not in shown
            assert "<img" not in shown
            if flavour != "html":
                assert "@everyone" not in shown
                assert "](https" not in shown


def test_strangers_text_is_shown_in_full(notice: MakeNotice) -> None:
    text = render.body(notice(body=HOSTILE), "text", 2000)
    assert HOSTILE in text.replace("\u200b", "")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("href", "src") or name.startswith("on")]


@pytest.mark.parametrize(
    "permalink", ["javascript:alert(1)", 'https://evil/" onmouseover="x', "data:text/html,x", "//evil", "https://a b/"]
)
def test_only_web_addresses_become_links(permalink: str, notice: MakeNotice) -> None:
    links = _Links()
    links.feed(render.body(notice(permalink=permalink), "html", 20_000))
    assert all(link.startswith("https://www.reddit.com//") for link in links.found)


def test_html_contains_no_tag_from_a_stranger(notice: MakeNotice) -> None:
    page = _Links()
    page.feed(render.body(notice(body=HOSTILE, title=HOSTILE), "html", 20_000))
    assert page.tags == {"div", "p", "a", "b"}
    assert set(page.found) == {"https://www.reddit.com/r/python/comments/xyz/which/abc/"}


def test_a_subject_is_one_short_line(notice: MakeNotice) -> None:
    evil = "x\r\nBcc: all@example.com\n" * 50
    subject = render.subject(notice(place=evil, body=evil, highlights=(("body", 0, len(evil)),)))
    assert "\n" not in subject
    assert "\r" not in subject
    assert len(subject) < 200


@pytest.mark.parametrize("flavour", ["text", "markdown"])
@pytest.mark.parametrize("limit", [60, 160, 280, 500, 2000])
def test_the_body_fits_and_keeps_its_link(flavour: Flavour, limit: int, notice: MakeNotice) -> None:
    body = render.body(notice(body="acme db " * 2000, title="T " * 200), flavour, limit)
    assert len(body) <= limit
    assert "https://www.reddit.com/r/python/comments/xyz/which/abc/" in body


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_long_digest_counts_what_it_leaves_out(flavour: Flavour, mention: MakeMention) -> None:
    many = digest(*(mention(item=f"t1_{n}", body="acme db " * 100) for n in range(200)), omitted=50)
    body = render.body(many, flavour, 5000)
    assert len(body) <= 5000
    shown = body.count("/comments/xyz/") // (2 if flavour == "html" else 1)
    assert 0 < shown < 200
    assert f"and {250 - shown} more" in body


def test_the_sample_says_that_it_is_a_test() -> None:
    sample = sample_notice("acme")
    assert sample.type == "mention.created"
    assert sample.id != sample_notice("acme").id
    assert "test message from Overheard" in render.body(sample, "text", 2000)
    assert render.subject(sample) == "r/test · “what a mention looks like” mentioned"
