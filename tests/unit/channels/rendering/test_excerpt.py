from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overheard.channels.rendering.excerpt import Fragment, excerpt


def plain(fragments: list[Fragment]) -> str:
    return "".join(fragment.text for fragment in fragments)


def test_short_text_is_whole_with_its_hits_marked() -> None:
    assert excerpt("try acme db now", [(4, 11)], 100) == [
        Fragment("try ", False),
        Fragment("acme db", True),
        Fragment(" now", False),
    ]


def test_long_text_is_cut_at_words_around_the_first_hit() -> None:
    text = "before " * 100 + "acme db" + " after" * 100
    at = text.index("acme")
    fragments = excerpt(text, [(at, at + 7)], 60)
    assert Fragment("acme db", True) in fragments
    shown = plain(fragments)
    assert shown.startswith("…before ")
    assert shown.endswith(" after…")
    assert len(shown) <= 62


def test_white_space_is_folded() -> None:
    assert plain(excerpt("  a\n\n\tb  ", [], 100)) == "a b"


def test_overlapping_spans_are_shown_once() -> None:
    assert excerpt("abcdef", [(0, 3), (2, 5)], 10) == [
        Fragment("abc", True),
        Fragment("de", True),
        Fragment("f", False),
    ]


def test_spans_outside_the_text_are_ignored() -> None:
    assert excerpt("abc", [(2, 99), (-1, 2), (2, 1)], 10) == [Fragment("abc", False)]


@example("aaa.a", [(1, 3)], 3)
@given(
    st.text("ab \n\t.", max_size=200),
    st.lists(st.tuples(st.integers(-5, 210), st.integers(-5, 210)), max_size=5),
    st.integers(0, 100),
)
def test_an_excerpt_is_short_and_has_only_words_of_the_text(
    text: str, spans: list[tuple[int, int]], width: int
) -> None:
    shown = plain(excerpt(text, spans, width))
    assert len(shown) <= width + 2
    assert shown.strip("…") in " ".join(text.split(" ")).replace("\n", " ").replace("\t", " ") or " ".join(
        shown.strip("…").split()
    ) in " ".join(text.split())


TEXT = "It was files. Since then, e.g. at Foo, we tried all. We moved to acme db! It is great.\n\nNext one. And so on."


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (18, "…moved to acme db! …"),
        (30, "…We moved to acme db! …"),
        (40, "…We moved to acme db! It is great. …"),
        (80, "…Since then, e.g. at Foo, we tried all. We moved to acme db! It is great. …"),
        (
            100,
            "It was files. Since then, e.g. at Foo, we tried all. We moved to acme db! It is great. Next one. …",
        ),
        (200, TEXT.replace("\n\n", " ")),
    ],
)
def test_whole_sentences_around_the_hit_are_shown(width: int, expected: str) -> None:
    at = TEXT.index("acme db")
    assert plain(excerpt(TEXT, [(at, at + 7)], width)) == expected


def test_a_sentence_that_is_too_long_is_cut_at_words() -> None:
    text = f"Short. {'and ' * 40}acme db {'then ' * 40}end. Short."
    at = text.index("acme db")
    shown = plain(excerpt(text, [(at, at + 7)], 60))
    assert (shown[:5], shown[-5:]) == ("…and ", "then…")
    assert "acme db" in shown


def test_a_character_keeps_its_accents() -> None:
    text = "acme" + "e\u0301" * 100
    assert plain(excerpt(text, [(0, 4)], 39)).endswith("e\u0301…")


@pytest.mark.parametrize("filler", ["数据库", "🔥", "x"])
def test_what_has_no_spaces_is_cut_anywhere(filler: str) -> None:
    text = f"{filler * 100} acme db {filler * 100}"
    at = text.index("acme db")
    shown = plain(excerpt(text, [(at, at + 7)], 150))
    assert len(shown) > 140
    assert f"{filler[-1]} acme db {filler[0]}" in shown


def test_dots_and_brackets_within_a_sentence_do_not_end_it() -> None:
    text = "First. It ran on acme db (or its fork...) and hmm... was slow! Then we left it for good."
    at = text.index("acme db")
    assert plain(excerpt(text, [(at, at + 7)], 60)) == "…It ran on acme db (or its fork...) and hmm... was slow! …"
