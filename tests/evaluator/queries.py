"""Random queries about the words of texts.py, written as users write them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.evaluator.texts import Vocabulary

FIELDS = ("title", "body", "url", "thread", "flair")
VARIATIONS = ("accents", "hyphens", "dots", "apostrophes", "numbers", "possessives", "all")
PATTERNS = ("acme", "wi.?fi", "^rust", "c[+#]+", "v?\\d\\.\\d", "acme$", "(next|node)\\.js", "[^ ]+@acme\\.com")


def chunks(words: Vocabulary) -> st.SearchStrategy[str]:
    """Return what a query may write without white space."""
    return st.sampled_from([word for word in words if not any(bracket in word for bracket in "[](){}")])


def phrases(words: Vocabulary) -> st.SearchStrategy[str]:
    return st.lists(chunks(words), min_size=2, max_size=3).map(" ".join)


distances = st.integers(0, 6)


@st.composite
def terms(draw: st.DrawFn, words: Vocabulary, plain: bool = False) -> str:
    """Return a term; ``plain``: one that may stand in NEAR."""
    kind = draw(st.integers(0, 6 if plain else 12))
    if kind < 4:
        return draw(chunks(words))
    if kind < 6:
        return f'"{draw(phrases(words))}"'
    if kind == 6:
        return draw(st.sampled_from(("optimi*", "*sql", "~monitor", "mon*", "acm*")))
    if kind == 7:
        return f"={draw(chunks(words))}"
    if kind == 8:
        return f'="{draw(phrases(words))}"'
    if kind < 11:
        return f'"{draw(phrases(words))}"~{draw(distances)}'
    return f"/{draw(st.sampled_from(PATTERNS))}/"


@st.composite
def leaves(draw: st.DrawFn, words: Vocabulary) -> str:
    """Return a term, in a field or near another one, or a fact about the item."""
    kind = draw(st.integers(0, 19))
    if kind < 9:
        return draw(terms(words))
    if kind < 12:
        near = f"NEAR/{draw(distances)}"
        left = draw(st.one_of(terms(words, plain=True), choices(words)))
        return f"{left} {near} {draw(terms(words, plain=True))}"
    if kind < 14:
        return f"{draw(st.sampled_from(FIELDS))}:{draw(terms(words))}"
    if kind == 14:
        return f"{draw(st.sampled_from(FIELDS))}:({draw(chunks(words))} OR {draw(chunks(words))})"
    if kind == 15:
        return draw(st.sampled_from(("domain:acme.com", "domain:(acme.io, evil.org)", "domain:com")))
    if kind < 18:
        return f"({draw(terms(words))} {draw(st.sampled_from(('-in:link', 'in:link')))})"
    return f"({draw(terms(words))} exact:{draw(st.sampled_from(VARIATIONS))})"


def choices(words: Vocabulary) -> st.SearchStrategy[str]:
    return st.lists(terms(words, plain=True), min_size=2, max_size=2).map(lambda two: f"({' OR '.join(two)})")


IS = ("is:post", "is:comment", "is:nsfw", "is:self", "is:link")
facts = st.sampled_from(
    (*IS, "lang:en", "lang:pt", "source:reddit", "place:python", "subreddit:Rust", "author:ann", "author:*bot")
)
SIGNS = (" ", " AND ", " OR ", " OR ", " -", " -")


@st.composite
def queries(draw: st.DrawFn, words: Vocabulary) -> str:
    """Return leaves with operators and brackets between them."""
    text = draw(leaves(words))
    for _ in range(draw(st.integers(0, 3))):
        part = draw(st.one_of(leaves(words), leaves(words), leaves(words), facts))
        sign = draw(st.sampled_from(SIGNS))
        kind = draw(st.integers(0, 9))
        if kind < 6:
            text = f"{text}{sign}{part}"
        elif kind < 8:
            text = f"({text}){sign}{part}"
        elif kind == 8:
            text = f"{part} NOT ({text})"
        else:
            text = f"{part}{sign}({text})"
    return text
