from __future__ import annotations

from hypothesis import given
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
