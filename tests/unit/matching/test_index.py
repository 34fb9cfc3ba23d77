"""The index finds what each query alone would find, whatever was added and removed, from any thread."""

import random
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.matching import document
from overheard.matching.document import MAX_HIGHLIGHTS, Document
from overheard.matching.index import Hit, QueryIndex, matches
from overheard.matching.language import QuerySyntaxError, parse, parse_stored
from overheard.matching.rarity import anchors
from overheard.matching.text import spans, words
from overheard.matching.tree import And, Node, Not, Or, ParsedQuery, Term
from tests import corpus


def naive_places(term: Term, text: str) -> list[tuple[int, int]]:
    """Slide the term over the text and check symbols by a pattern: slow, and unlike the code under test."""
    folded, where = words(text), spans(text)
    found = []
    for at in range(len(folded) - len(term.words) + 1):
        if tuple(folded[at : at + len(term.words)]) != term.words:
            continue
        start, end = where[at][0], where[at + len(term.words) - 1][1]
        fits = True
        for number, (before, behind) in enumerate(term.affixes):
            left, right = text[: where[at + number][0]], text[where[at + number][1] :]
            if before:
                sign = re.escape(before)
                fits = fits and re.search(rf"(?<!\w)(?<!{sign}){sign}$", left) is not None
            if behind:
                run = re.match(r"(?:\\?[+#])*", right)
                fits = fits and run is not None and run[0].replace("\\", "") == behind
            if before and number == 0:
                start -= 1
            if behind and number == len(term.words) - 1:
                end += len(re.match(r"(?:\\?[+#])*", right)[0])  # type: ignore[index]
        if fits:
            found.append((start, end))
    return found


def naive_holds(node: Node, fields: Mapping[str, str]) -> bool:
    match node:
        case Term():
            return any(naive_places(node, text) for text in fields.values())
        case Not(part=part):
            return not naive_holds(part, fields)
        case And(parts=parts):
            return all(naive_holds(part, fields) for part in parts)
        case Or(parts=parts):
            return any(naive_holds(part, fields) for part in parts)


def naive_positive(node: Node, negated: bool = False) -> list[Term]:
    match node:
        case Term():
            return [] if negated else [node]
        case Not(part=part):
            return naive_positive(part, not negated)
        case And(parts=parts) | Or(parts=parts):
            return [term for part in parts for term in naive_positive(part, negated)]


def naive_letters(node: Node, fields: Mapping[str, str]) -> set[tuple[str, int]]:
    """Return each code point that belongs to a positive term."""
    return {
        (field, at)
        for field, text in fields.items()
        for term in naive_positive(node)
        for start, end in naive_places(term, text)
        for at in range(start, end)
    }


_WORDS = [
    "a",
    "A",
    "b",
    "c",
    "d",
    "the",
    "C++",
    "c#",
    ".net",
    "net",
    "#a",
    "don't",
    "東京",
    "京",
    "ß",
    "ss",
    "İ",
    "é",
]
_TERM = st.one_of(
    st.sampled_from(_WORDS),
    st.lists(st.sampled_from(_WORDS), min_size=1, max_size=3).map(lambda phrase: f'"{" ".join(phrase)}"'),
)
_QUERY_TEXT = st.recursive(
    _TERM,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" ", " OR ", " AND ", " -"]), inner).map("".join),
        inner.map("({})".format),
        inner.map("NOT ({})".format),
    ),
    max_leaves=6,
)
_BODY = st.lists(
    st.tuples(
        st.sampled_from([*_WORDS, "C", "STRASSE", "a\u00ad", "e\u0301"]),
        st.sampled_from([" ", "-", "'", ".", "", "\n"]),
    ),
    max_size=12,
).map(lambda parts: "".join(map("".join, parts)))
_FIELDS = st.fixed_dictionaries({"body": _BODY}, optional={"title": _BODY})


def readable(texts: list[str]) -> list[ParsedQuery]:
    queries = []
    for text in texts:
        try:
            queries.append(parse(text))
        except QuerySyntaxError:  # no positive term: refused (test_language.py)
            continue
    return queries


@given(
    st.lists(_QUERY_TEXT, max_size=12),
    st.lists(_FIELDS, min_size=1, max_size=4),
    st.randoms(),
    st.sampled_from([0, 1, document._FEW_PLACES]),
)
def test_the_index_agrees_with_each_query_alone(
    texts: list[str], items: list[dict[str, str]], chance: random.Random, few: int
) -> None:
    """After additions, replacements and removals the index finds what the slow evaluator finds.

    ``few``: more places of a phrase than this are tested at once.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "_FEW_PLACES", few)
        _check_that_the_index_agrees_with_each_query_alone(texts, items, chance)


def _check_that_the_index_agrees_with_each_query_alone(
    texts: list[str], items: list[dict[str, str]], chance: random.Random
) -> None:
    index = QueryIndex()
    live: dict[int, ParsedQuery] = {}
    for query in readable(texts):
        key = chance.randrange(8)
        if chance.random() < 0.2:
            assert index.remove(key) is (live.pop(key, None) is not None)
        index.add(key, query)
        live[key] = query
    assert len(index) == len(live)
    for fields in items:
        hits = index.match(fields)
        assert [hit.key for hit in hits] == sorted(key for key, query in live.items() if naive_holds(query, fields))
        for hit in hits:
            covered = {(field, at) for field, start, end in hit.highlights for at in range(start, end)}
            assert covered == naive_letters(live[hit.key], fields)
            assert list(hit.highlights) == sorted(hit.highlights)
            alone = matches(live[hit.key], fields)
            assert alone is not None
            assert alone.highlights == hit.highlights


@given(_TERM, _FIELDS)
def test_the_text_of_a_highlight_is_its_term(text: str, fields: dict[str, str]) -> None:
    query = parse(text)
    assert isinstance(query, Term)
    hit = matches(query, fields)
    if hit is None:
        return
    for field, start, end in hit.highlights:
        folded = tuple(words(fields[field][start:end]))
        # Overlapping ones are merged: "a a" in a a a.
        assert folded[: len(query.words)] == query.words
        assert folded[-len(query.words) :] == query.words


def test_a_phrase_does_not_span_title_and_body() -> None:
    index = QueryIndex()
    index.add(1, parse('"acme db"'))
    index.add(2, parse("acme db"))
    assert [hit.key for hit in index.match({"title": "New: Acme", "body": "DB is out"})] == [2]
    assert index.match({"title": "New: Acme", "body": "DB is out"})[0].highlights == (
        ("body", 0, 2),
        ("title", 5, 9),
    )


def test_highlights_are_positions_in_the_original_text() -> None:
    text = "ﬁﬁ Straße İİ — die STRASSE"
    hit = matches(parse("strasse -park"), {"body": text})
    assert hit is not None
    assert [text[start:end] for _, start, end in hit.highlights] == ["Straße", "STRASSE"]


def test_overlapping_highlights_are_merged_and_negative_terms_left_out() -> None:
    hit = matches(parse('"a b" OR "b c" OR (d -e)'), {"body": "a b c e d"})
    assert hit == Hit(0, (("body", 0, 5), ("body", 8, 9)))


def test_highlights_that_only_touch_stay_apart() -> None:
    assert matches(parse("東 OR 京"), {"body": "東京"}) == Hit(0, (("body", 0, 1), ("body", 1, 2)))


def test_a_phrase_of_frequent_words_is_not_checked_place_by_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """400 times c++ against 10,000 of them: each word's symbols are read once, and no place is compared."""
    symbols_read = 0
    affixes = document.affixes

    def counted(*given: Any) -> tuple[str, str]:
        nonlocal symbols_read
        symbols_read += 1
        return affixes(*given)

    class Compared(list[str]):
        slices = 0

        def __getitem__(self, at: Any) -> Any:
            Compared.slices += isinstance(at, slice)
            return super().__getitem__(at)

    monkeypatch.setattr(document, "affixes", counted)
    item = Document({"body": "c++ " * 10_000 + "a b " * 5_000})
    item.words = Compared(item.words)
    for phrase, found in (
        ("c++ " * 400, True),
        ("c++ " * 399 + "c#", False),
        ("a b " * 200, True),
        ("a b " * 9 + "b", False),
    ):
        query, _ = parse_stored(f'"{phrase}"')
        assert query.holds(item) is found
    assert symbols_read <= 10_000
    assert Compared.slices == 0
    query, _ = parse_stored('"b x c++"')
    assert not query.holds(item)
    assert Compared.slices == 0


def test_the_first_highlights_are_kept_and_at_least_one_of_each_term() -> None:
    text = "acme db " * 500
    hit = matches(parse("acme"), {"title": "acme", "body": text})
    assert hit is not None
    assert hit.highlights == (*(("body", at, at + 4) for at in range(0, 8 * (MAX_HIGHLIGHTS - 1), 8)), ("title", 0, 4))

    many = [f"w{number}" for number in range(150)]
    hit = matches(parse(" OR ".join(["zebra", *many])), {"body": " ".join(many * 3)})
    assert hit is not None
    assert [" ".join(many * 3)[start:end] for _, start, end in hit.highlights] == many

    hit = matches(parse('"acme db" OR db'), {"body": text})
    assert hit is not None
    assert len(hit.highlights) == MAX_HIGHLIGHTS // 2


def test_adding_a_key_again_replaces_its_query() -> None:
    index = QueryIndex()
    index.add(7, parse("old"))
    index.add(7, parse("new"))
    assert len(index) == 1
    assert index.match({"body": "old"}) == []
    assert [hit.key for hit in index.match({"body": "new"})] == [7]
    assert index.remove(7) is True
    assert index.remove(7) is False
    assert len(index) == 0


def test_equal_queries_of_many_workspaces_are_stored_once_and_all_hit() -> None:
    index = QueryIndex()
    for key, text in enumerate(("Acme", "acme", '"ACME"')):
        index.add(key, parse(text))
    assert len(index._by_query) == 1
    assert [hit.key for hit in index.match({"body": "acme"})] == [0, 1, 2]
    index.remove(1)
    assert [hit.key for hit in index.match({"body": "acme"})] == [0, 2]


def test_removed_queries_leave_nothing_behind() -> None:
    index = QueryIndex()
    texts = ["a", '"a b"', "a OR b", '"a b c" -d', "C++ OR (x y)", "NOT (NOT a OR b)"]
    for key, text in enumerate(texts):
        index.add(key, parse(text))
    for key in range(len(texts)):
        assert index.remove(key)
    assert not any((index._by_key, index._by_query, index._by_anchor))


def test_a_shared_query_is_not_copied_for_each_key() -> None:
    index = QueryIndex()
    index.add(0, parse("acme"))
    (entry,) = index._by_query.values()
    keys = entry.keys
    for key in range(1, 100):
        index.add(key, parse("acme"))
    assert entry.keys is keys
    assert [hit.key for hit in index.match({"body": "acme"})] == list(range(100))


def test_an_entry_is_removed_from_a_crowded_anchor_without_a_search() -> None:
    index = QueryIndex()
    for key in range(100):
        index.add(key, parse(f"acme -w{key}"))
    assert isinstance(index._by_anchor["acme"], set)
    for key in range(99):
        index.remove(key)
    assert [hit.key for hit in index.match({"body": "acme"})] == [99]


def test_queries_of_owners_that_do_not_watch_are_not_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    index = QueryIndex()
    index.add(1, parse("acme " + " ".join(f"-w{number}" for number in range(150))))
    monkeypatch.setattr(Document, "contains", pytest.fail)
    assert index.match({"body": "acme"}, place_watchers=()) == []


def test_only_queries_of_watching_owners_hit() -> None:
    index = QueryIndex()
    for key in range(5):
        index.add(key, parse("acme" if key < 4 else "other"), owner=10 + key)
    assert [(hit.key, hit.owner) for hit in index.match({"body": "acme"}, {10, 14}, {12})] == [(0, 10), (2, 12)]
    assert [hit.key for hit in index.match({"body": "acme"})] == [0, 1, 2, 3]


def test_the_queries_of_an_owner_are_removed_and_no_others() -> None:
    index = QueryIndex()
    for key in range(9):
        index.add(key, parse(f"acme w{key % 2}"), owner=key % 3)
    index.remove_owners({0, 2})
    assert len(index) == 3
    assert [(hit.key, hit.owner) for hit in index.match({"body": "acme w0 w1"})] == [(1, 1), (4, 1), (7, 1)]
    index.add(4, parse("acme"), owner=2)
    index.remove_owners({1})
    assert [(hit.key, hit.owner) for hit in index.match({"body": "acme w0 w1"})] == [(4, 2)]


def test_a_query_without_any_required_word_is_refused() -> None:
    with pytest.raises(ValueError, match="match everything"):
        QueryIndex().add(1, Not(Term(("a",))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the AND acme", ("acme",)),
        ("linux (the OR acme)", ("linux",)),
        ("acme OR linux", ("acme", "linux")),
        ("acme OR acme", ("acme",)),
        ('"the acme db"', (("acme", "db"),)),
        ("acme -the", ("acme",)),
        ("NOT (NOT acme OR linux)", ("acme",)),
        ("NOT NOT acme", ("acme",)),
        ("東京", (("東", "京"),)),
    ],
)
def test_a_query_is_anchored_at_its_rarest_part(text: str, expected: tuple[str, ...]) -> None:
    assert anchors(parse(text)) == expected


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Switch threads as often as Python allows, so that a missing lock shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_match_while_another_changes_the_index() -> None:
    """A query that stays is always found, one that does not hold never is, and nothing raises."""
    index = QueryIndex()
    index.add(0, parse("steady"))
    faults: list[object] = []
    stop = threading.Event()
    fields = {"body": " ".join(f"w{number} x" for number in range(60)) + " steady"}

    def match_all_the_time() -> None:
        try:
            while not stop.is_set():
                keys = [hit.key for hit in index.match(fields)]
                if keys[:1] != [0] or len(keys) != len(set(keys)):
                    faults.append(keys)
        except (KeyError, RuntimeError) as error:  # raised by dicts that change while they are read
            faults.append(error)

    readers = [threading.Thread(target=match_all_the_time) for _ in range(3)]
    for reader in readers:
        reader.start()
    forms = ("w{}", '"w{} x"', "w{} OR steady", "w{} -x")
    queries = [parse(form.format(number)) for number in range(60) for form in forms]
    for _ in range(10):
        for key, query in enumerate(queries, start=1):
            index.add(key, query)
        for key in range(1, len(queries) + 1):
            index.remove(key)
    stop.set()
    for reader in readers:
        reader.join()
    assert faults == []


@pytest.mark.parametrize("text", [corpus.source()])
def test_the_index_agrees_with_each_query_alone_on_real_text(text: str) -> None:
    chance = random.Random(7)
    posts = corpus.posts()
    posts = chance.sample(posts, min(len(posts), 400))
    items = [{"title": post["title"], "body": post["body"][:600]} for post in posts]
    titles = [title for title in (words(item["title"]) for item in items) if len(title) > 4]
    operators = ("and", "or", "not", "near")  # refused between two words
    vocabulary = [word for title in titles for word in title if word not in operators]

    def query() -> str:
        title = chance.choice(titles)
        phrase = " ".join(title[1 : chance.randrange(3, 5)])
        a, b, c = (chance.choice(vocabulary) for _ in range(3))
        return chance.choice(
            (a, f'"{phrase}"', f"{a} {b}", f"{a} -{b}", f'{a} OR "{phrase}"', f"({a} OR {b}) -{c}", f"#{a}")
        )

    queries = {key: parse(query()) for key in range(300)}
    index = QueryIndex()
    for key, one_query in queries.items():
        index.add(key, one_query)
    found = 0
    for fields in items:
        expected = [key for key, query in queries.items() if naive_holds(query, fields)]
        assert [hit.key for hit in index.match(fields)] == expected
        found += len(expected)
    assert found > 300, text
