"""The index, and what it reports of a hit; test_against_evaluator.py compares what it finds."""

import sys
import threading
from collections.abc import Iterator, Mapping

import msgspec
import pytest

from overheard.items import Item, WatchKey
from overheard.matching.index.anchors import AnchorChooser
from overheard.matching.index.query_index import ANYWHERE, MAX_SHELVES, QueryIndex, matches
from overheard.matching.item.document import MAX_HIGHLIGHTS, Document
from overheard.matching.language import parse
from overheard.matching.tree import Not, Spelling, Term, Word

HERE: WatchKey = ("reddit", "post", "python")
EVERYWHERE: WatchKey = ("reddit", "post", "all")
ELSEWHERE: WatchKey = ("reddit", "post", "rust")


def item_with(fields: Mapping[str, str]) -> Item:
    return Item(source="reddit", id="t3_1", kind="post", place="python", created_at=0.0, **fields)


def test_a_phrase_does_not_span_title_and_body() -> None:
    index = QueryIndex()
    index.add(1, parse('"acme db"'))
    index.add(2, parse("acme db"))
    assert [hit.key for hit in index.match(item_with({"title": "New: Acme", "body": "DB is out"}))] == [2]
    assert index.match(item_with({"title": "New: Acme", "body": "DB is out"}))[0].highlights == (
        ("body", 0, 2),
        ("title", 5, 9),
    )


def test_captions_polls_and_crossposted_titles_are_searched_without_being_named() -> None:
    index = QueryIndex()
    queries = ("acme", "caption:acme", "title:acme", "domain:acme.com", "flair:acme", '"acme bolt"')
    for key, text in enumerate(queries):
        index.add(key, parse(text))

    def found(**texts: str) -> list[str]:
        item = msgspec.structs.replace(item_with({"title": "x", "body": "y"}), texts=texts)
        return [queries[hit.key] for hit in index.match(item)]

    assert found(caption="Acme") == ["acme", "caption:acme"]
    assert found(caption="see https://acme.com/x") == ["acme", "caption:acme", "domain:acme.com"]
    assert found(poll="Acme\n\nBolt") == found(crosspost="acme") == ["acme"]
    assert found(poll="Acme Bolt") == ["acme", '"acme bolt"']
    assert found(flair="Acme") == ["flair:acme"]
    assert found(tags="acme", media="acme") == found(title="acme") == []


def test_highlights_are_positions_in_the_original_text() -> None:
    text = "ﬁﬁ Straße İİ — die STRASSE"
    hit = matches(parse("strasse -park"), item_with({"body": text}))
    assert hit is not None
    assert [text[start:end] for _, start, end in hit.highlights] == ["Straße", "STRASSE"]


def test_overlapping_highlights_are_merged_and_negative_terms_left_out() -> None:
    hit = matches(parse('"a b" OR "b c" OR (d -e)'), item_with({"body": "a b c e d"}))
    assert hit is not None
    assert hit.highlights == (("body", 0, 5), ("body", 8, 9))


def test_highlights_that_only_touch_stay_apart() -> None:
    hit = matches(parse("東 OR 京"), item_with({"body": "東京"}))
    assert hit is not None
    assert hit.highlights == (("body", 0, 1), ("body", 1, 2))


def test_the_first_highlights_are_kept_and_at_least_one_of_each_term() -> None:
    text = "acme db " * 500
    hit = matches(parse("acme"), item_with({"title": "acme", "body": text}))
    assert hit is not None
    assert hit.highlights == (*(("body", at, at + 4) for at in range(0, 8 * (MAX_HIGHLIGHTS - 1), 8)), ("title", 0, 4))

    many = [f"w{number}" for number in range(150)]
    hit = matches(parse(" OR ".join(["zebra", *many])), item_with({"body": " ".join(many * 3)}))
    assert hit is not None
    assert [" ".join(many * 3)[start:end] for _, start, end in hit.highlights] == many

    hit = matches(parse('"acme db" OR db'), item_with({"body": text}))
    assert hit is not None
    assert len(hit.highlights) == MAX_HIGHLIGHTS // 2


def test_adding_a_key_again_replaces_its_query() -> None:
    index = QueryIndex()
    index.add(7, parse("old"))
    index.add(7, parse("new"))
    assert len(index) == 1
    assert index.match(item_with({"body": "old"})) == []
    assert [hit.key for hit in index.match(item_with({"body": "new"}))] == [7]
    assert index.remove(7) is True
    assert index.remove(7) is False
    assert len(index) == 0


def test_equal_queries_of_many_workspaces_are_stored_once_and_all_hit() -> None:
    index = QueryIndex()
    for key, text in enumerate(("Acme", "acme", '"ACME"')):
        index.add(key, parse(text))
    assert len(index._by_query) == 1
    assert [hit.key for hit in index.match(item_with({"body": "acme"}))] == [0, 1, 2]
    index.remove(1)
    assert [hit.key for hit in index.match(item_with({"body": "acme"}))] == [0, 2]


def test_removed_queries_leave_nothing_behind() -> None:
    index = QueryIndex()
    texts = ["a", '"a b"', "a OR b", '"a b c" -d', "C++ OR (x y)", "NOT (NOT a OR b)"]
    for key, text in enumerate(texts):
        index.add(key, parse(text))
    for key in range(len(texts)):
        assert index.remove(key)
    assert not any((index._by_key, index._by_query, index._keys, index._shelves))


def test_a_shared_query_is_not_copied_for_each_key() -> None:
    index = QueryIndex()
    index.add(0, parse("acme"))
    (entry,) = index._by_query.values()
    index.add(1, parse("acme"))
    keys = entry.others
    for key in range(2, 100):
        index.add(key, parse("acme"))
    assert entry.others is keys
    assert [hit.key for hit in index.match(item_with({"body": "acme"}))] == list(range(100))


def test_an_entry_is_removed_from_a_crowded_anchor_without_a_search() -> None:
    index = QueryIndex()
    for key in range(100):
        index.add(key, parse(f"acme -w{key}"))
    assert isinstance(index._shelves[ANYWHERE]._by_anchor["acme"], set)
    for key in range(99):
        index.remove(key)
    assert [hit.key for hit in index.match(item_with({"body": "acme"}))] == [99]


def test_queries_of_owners_that_do_not_watch_are_not_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    index = QueryIndex()
    index.add(1, parse("acme " + " ".join(f"-w{number}" for number in range(150))))
    monkeypatch.setattr(Document, "has_term", pytest.fail)
    index.watch(0, [ELSEWHERE])
    index.watch(1, [HERE])
    item = item_with({"body": "acme"})
    assert index.match(item, item.found_in) == []


def found_here(index: QueryIndex, body: str = "acme") -> list[tuple[int, int]]:
    item = item_with({"body": body})
    return [(hit.key, hit.owner) for hit in index.match(item, item.found_in)]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("further", [0, MAX_SHELVES])
def test_only_queries_of_watching_owners_hit(first: bool, further: int) -> None:
    """Whether they watch before or after the query is added, and however many other places."""
    index = QueryIndex()
    others = [("reddit", "post", f"place{number}") for number in range(further)]
    watched = {10: [HERE], 11: [ELSEWHERE], 12: [EVERYWHERE], 14: [HERE, EVERYWHERE]}

    def watch() -> None:
        for owner, places in watched.items():
            index.watch(owner, [*places, *others])

    if first:
        watch()
    for key in range(5):
        index.add(key, parse("acme" if key < 4 else "other"), owner=10 + key)
    if not first:
        assert found_here(index) == []
        watch()
    assert found_here(index) == [(0, 10), (2, 12)]
    assert found_here(index, "other") == [(4, 14)]
    assert [hit.key for hit in index.match(item_with({"body": "acme"}))] == [0, 1, 2, 3]


def test_what_owners_watch_may_change() -> None:
    """Of equal queries, those of other owners stay where they are; so do several of one owner."""
    index = QueryIndex()
    for key, owner in enumerate((1, 1, 2, 3)):
        index.watch(owner, [HERE])
        index.add(key, parse("acme"), owner)
    many: list[WatchKey] = [("reddit", "post", f"place{number}") for number in range(MAX_SHELVES + 1)]
    index.watch(1, [HERE, *many])
    index.watch(2, [ELSEWHERE])
    assert found_here(index) == [(0, 1), (1, 1), (3, 3)]
    index.remove(0)
    index.watch(1, [HERE])
    index.watch(3, many)
    assert found_here(index) == [(1, 1)]
    index.watch(1, [])
    index.watch(2, [EVERYWHERE, ELSEWHERE])
    index.remove(3)
    assert found_here(index) == [(2, 2)]
    index.remove_owners({1, 2})
    for owner in (1, 2, 3):
        index.watch(owner, [])
    assert not any((index._by_key, index._by_query, index._keys, index._places, index._watchers, index._shelves))


def test_a_query_is_filed_only_where_its_owner_watches() -> None:
    index = QueryIndex()
    index.watch(1, [HERE, ("reddit", "comment", "python"), ELSEWHERE])
    index.watch(2, [("reddit", "post", f"place{number}") for number in range(MAX_SHELVES + 1)])
    index.add(1, parse("acme"), owner=1)
    index.add(2, parse("bolt"), owner=2)
    assert {name: list(shelf._by_anchor) for name, shelf in index._shelves.items()} == {
        ("reddit", "python"): ["acme"],
        ("reddit", "rust"): ["acme"],
        ANYWHERE: ["bolt"],
    }


def test_the_queries_of_an_owner_are_removed_and_no_others() -> None:
    index = QueryIndex()
    for key in range(9):
        index.add(key, parse(f"acme w{key % 2}"), owner=key % 3)
    index.remove_owners({0, 2})
    assert len(index) == 3
    assert [(hit.key, hit.owner) for hit in index.match(item_with({"body": "acme w0 w1"}))] == [(1, 1), (4, 1), (7, 1)]
    index.add(4, parse("acme"), owner=2)
    index.remove_owners({1})
    assert [(hit.key, hit.owner) for hit in index.match(item_with({"body": "acme w0 w1"}))] == [(4, 2)]


def test_a_query_without_any_required_word_is_refused() -> None:
    with pytest.raises(ValueError, match="match everything"):
        QueryIndex().add(1, Not(Term((Word((Spelling(("a",)),)),))))


@pytest.mark.parametrize(
    "text", ["acme linux", '"acme db fast"', "acme NEAR/3 (linux OR bsd)", '"acme linux"~3', "acme (x OR linux)"]
)
def test_texts_without_all_that_a_query_requires_are_not_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    index = QueryIndex()
    index.add(1, parse(text))
    assert [hit.key for hit in index.match(item_with({"body": "acme db fast linux"}))] == [1]
    monkeypatch.setattr(Document, "__init__", pytest.fail)
    assert index.match(item_with({"body": "acme db"})) == []


def test_a_wildcard_is_found_after_its_text_was_seen_without_one() -> None:
    """Words are remembered as having none: until a query comes."""
    index = QueryIndex()
    index.add(1, parse("optim*"))
    for text, key in (("*osaurus", 2), ("~dinosaurs", 3), ("/osaur/", 4), ("dinosau*", 5)):
        assert key not in [hit.key for hit in index.match(item_with({"body": "a dinosaurus, dinosaur"}))]
        index.add(key, parse(text))
    assert [hit.key for hit in index.match(item_with({"body": "a dinosaurus, dinosaur"}))] == [2, 3, 4, 5]
    index.remove(4)
    assert [hit.key for hit in index.match(item_with({"body": "a dinosaurus, dinosaur"}))] == [2, 3, 5]


def test_a_word_is_found_after_it_was_seen_without_a_query() -> None:
    """Words are remembered as leading to no query: until one comes, goes, and comes again."""
    index = QueryIndex()
    index.add(1, parse("optim*"))
    item = item_with({"body": "a dinosaur in Acme"})
    for _ in range(2):
        assert index.match(item) == []
        index.add(2, parse("dinosaur"))
        assert [hit.key for hit in index.match(item)] == [2]
        index.remove(2)


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("acme", "acmes, macme, ACME", ["ACME"]),
        ("acme", "macme " * 30 + "Acme", ["Acme"]),
        ("acme", "Ac**me** *acme*", ["Ac**me", "acme"]),
        ("acme", "x**acme** `acme`", ["acme"]),
        ("acme", "[Acme](http://x.y/" + "z" * 50 + ")acme Acme", ["Acme"]),
        ("acme", "[Acme](http://x.y/" + "z" * 50 + ") acme", ["Acme", "acme"]),
        ("dont", "don't dont DON'T", ["don't", "dont", "DON'T"]),
        ("don", "don't ask Don", ["Don"]),
        ("t", "don't T", ["T"]),
        ("tx", "don'tx TX", ["TX"]),
        ("don", "don’t ask Don", ["Don"]),
        ("t", "don’t T", ["T"]),
        ("dont", "don’t dont", ["don’t", "dont"]),
        ("acme", "“Acme” – acme", ["Acme", "acme"]),
        ("acme", "é macme acme", ["acme"]),
        ("acme", "\u0130 Acme", ["Acme"]),
        ("cafe", "Café cafe", ["Café", "cafe"]),
        ("cafe", "Cafe\u0301", ["Cafe\u0301"]),
        ("acme", "é Ac**me**", ["Ac**me"]),
        ("o", "o\u0308x o", ["o"]),
        ('"a b"', "a c a b\n\na\n\nb a b", ["a b", "a b"]),
        ("a", "aaa a " * 9, ["a"] * 9),
    ],
)
def test_a_word_is_highlighted_where_it_is_a_word(query: str, text: str, expected: list[str]) -> None:
    hit = matches(parse(query), item_with({"body": text}))
    assert hit is not None
    assert [text[start:end] for _, start, end in hit.highlights] == expected


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
    assert AnchorChooser().anchors(parse(text)) == expected


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
                keys = [hit.key for hit in index.match(item_with(fields))]
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
