from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from overheard.channels.rendering.excerpt import Fragment
from overheard.channels.rendering.readable import readable
from overheard.channels.rendering.view import age_text, mention_view, names_text, views_of
from overheard.notices import Notice, PublicMention

NOW = datetime(2026, 3, 4, 5, 11, 7, tzinfo=UTC).timestamp()
Make = Callable[..., PublicMention]


def test_a_comment_is_headed_by_what_it_answers_to(mention: Make) -> None:
    view = mention_view(mention(), "Europe/Berlin", NOW)
    assert "".join(part.text for part in view.heading) == "Re: Which database do you use?"
    assert view.context == ("r/python", "u/alice", "5 min ago, 06:06", "brand")
    assert Fragment("acme db", True) in view.excerpt


def test_an_item_without_a_title_is_headed_by_what_it_is(mention: Make) -> None:
    view = mention_view(mention(kind="post", title=""), "UTC", NOW)
    assert view.heading == [Fragment("Post by u/alice", False)]


def test_further_mentions_are_other_places_of_the_same_link(mention: Make) -> None:
    other = mention(place="rust", permalink="/r/rust/comments/a/b/")
    notice = Notice(id="1", type="mention.created", workspace="acme", mentions=(mention(), other))
    (view,) = views_of(notice, NOW, most=10)
    assert view.also == (("r/rust", "https://www.reddit.com/r/rust/comments/a/b/"),)


def shown(fragments: list[Fragment]) -> str:
    """Return the fragments as one text, the hits in stars."""
    return "".join(f"*{part.text}*" if part.hit else part.text for part in fragments)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "I tried [Dropsync](https://play.acme.com/store?id=1) and **others**, what next?",
            "I tried *Dropsync* and others, what next? (play.*acme*.com/store?id=1)",
        ),
        (f"[x](https://acme.com/{'y' * 300})", f"*x* (*acme*.com/{'y' * 71}…)"),
        ("[](https://acme.com/a)", "[](https://*acme*.com/a)"),
        ("<https://acme.com/a>", "https://*acme*.com/a"),
        ("see https://acme.com/a", "see https://*acme*.com/a"),
    ],
)
def test_a_hit_in_a_link_s_target_shows_the_link_s_words_and_the_target(mention: Make, body: str, text: str) -> None:
    at = body.index("acme")
    view = mention_view(mention(body=body, highlights=(("body", at, at + 4),)), "UTC", NOW)
    assert shown(view.excerpt) == text


def test_an_address_with_a_hit_is_shown_without_its_scheme_and_is_short(mention: Make) -> None:
    url = f"https://www.translate.acme.com/translate?sl=auto&{'u=http%3A%2F%2F' * 20}"
    view = mention_view(mention(body="", url=url, highlights=(("url", 22, 26),)), "UTC", NOW)
    text = shown(view.excerpt)
    assert text.startswith("translate.*acme*.com/translate?sl=auto&u=http")
    assert text.endswith("…")
    assert len(text) <= 85


def test_a_feed_is_named_without_its_scheme(mention: Make) -> None:
    view = mention_view(mention(source="feeds", place="https://planet.example/feed.xml"), "UTC", NOW)
    assert view.place == "planet.example/feed.xml"
    assert mention_view(mention(source="mastodon", place="fosstodon.org"), "UTC", NOW).place == "Mastodon fosstodon.org"


def test_names_that_do_not_fit_are_counted(mention: Make) -> None:
    assert names_text(("a", "b"), 10) == "a, b"
    assert names_text(("first", "second", "third"), 14) == "first, second and 1 more"
    assert names_text(("x" * 100,), 10) == "x" * 79 + "…"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "1 s"),
        (0.4, "1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (119, "1 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (2e5, "2 d"),
    ],
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


TEXTS = {"caption": "Our cat\n\nThe **Acme** lamp https://x.org/", "poll": "Acme\n\nBolt", "crosspost": "Acme is out"}


@pytest.mark.parametrize(
    ("highlights", "shown"),
    [
        ((("caption", 13, 17),), "Our cat The Acme lamp https://x.org/"),
        ((("poll", 0, 4),), "Acme Bolt"),
        ((("crosspost", 0, 4), ("title", 0, 5)), "Acme is out"),
        ((("body", 0, 4), ("caption", 13, 17)), "acme in the body"),
        ((("caption", 13, 17), ("url", 0, 3)), "Our cat The Acme lamp https://x.org/"),
        ((("title", 0, 5), ("url", 0, 3)), "acme in the body"),
        ((("flair", 0, 4),), "acme in the body"),
        ((), "acme in the body"),
    ],
)
def test_a_hit_in_a_further_text_is_shown_with_it(
    mention: Make, highlights: tuple[tuple[str, int, int], ...], shown: str
) -> None:
    found = mention(body="acme in the body", url="https://acme.com/", texts=TEXTS, highlights=highlights)
    view = mention_view(found, "UTC", NOW)
    assert "".join(part.text for part in view.excerpt) == shown
    wanted = next((name for name, _, _ in highlights if name in ("body", *TEXTS)), None)
    assert any(part.hit for part in view.excerpt) is (wanted is not None)


def test_a_hit_in_a_text_that_is_gone_shows_the_body_s_place_empty(mention: Make) -> None:
    found = mention(body="", texts={}, highlights=(("caption", 0, 4),))
    assert mention_view(found, "UTC", NOW).excerpt == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\U0001f469\u200d\U0001f469\u200d\U0001f466", "\U0001f469\u200d\U0001f469\u200d\U0001f466"),  # a family
        ("\U0001f3f3\ufe0f\u200d\U0001f308 \u2764\ufe0f", "\U0001f3f3\ufe0f\u200d\U0001f308 \u2764\ufe0f"),
        ("\U0001f44d\U0001f3fd", "\U0001f44d\U0001f3fd"),  # a skin tone
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
        ("ac\u200dme\u200c d\u200bb \u202ex\ufe0f", "acme db x"),
        ("\u200d\U0001f600\ufe0f\ufe0f\ufe0f\u200d\u200d", "\U0001f600\ufe0f"),
    ],
)
def test_what_joins_emoji_and_letters_is_kept_and_what_nobody_sees_is_not(text: str, seen: str) -> None:
    assert readable(text, []) == (seen, [])


def test_hits_beside_joined_emoji_stay_where_they_are() -> None:
    shown, spans = readable("\U0001f469\u200d\U0001f466 **acme** \u200bdb", [(6, 10), (14, 16)])
    assert [shown[start:end] for start, end in spans] == ["acme", "db"]
