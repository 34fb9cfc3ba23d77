"""match: the index follows the database, and every part is sent on to store."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from actors.match import Matcher, capped_highlights, capped_reasons
from actors.wiring import Wiring
from overheard.bus.sender import Sender
from overheard.chunking import CHUNK_MAX_BYTES, chunks, matched_size, split_matches
from overheard.config import Config, DatabaseSettings
from overheard.db import queries, word_frequencies, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Query
from overheard.errors import Unavailable
from overheard.matching.item.document import MAX_HIGHLIGHTS
from overheard.messages import (
    TERM_MAX_CHARS,
    ItemsFetched,
    ItemsMatched,
    MatchedItem,
    PollPart,
    PollTarget,
    Why,
    WorkspaceMatch,
)
from overheard.observability.metrics import ProcessMetrics
from overheard.process import RunningProcess
from overheard.stages import STAGES
from overheard.workspaces import QuerySpec, WatchSpec
from tests.fixtures import Metric, Sent, World


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def matcher(db: Db, sent: Sent, metrics: ProcessMetrics) -> Matcher:
    return Matcher(db=db, send=sent, metrics=metrics)


@pytest.fixture
def wanted(matcher: Matcher, sent: Sent) -> Callable[..., list[dict[int, int]]]:
    """Match items; return {workspace: number of its queries that hold} for each."""

    def match(*items: Any) -> list[dict[int, int]]:
        matcher.match(ItemsFetched(part=PollPart(poll="p", part=0), items=items))
        [message] = sent.take()
        found = {
            entry.item.id: {match.workspace_id: len(match.query_ids) for match in entry.matches}
            for entry in message.items
        }
        return [found.get(item.id, {}) for item in items]

    return match


def test_an_item_is_sent_on_with_all_workspaces_that_match_it(world: World, matcher: Matcher, sent: Sent) -> None:
    acme = world.workspace("acme", queries={"a": "acme", "b": "number", "c": "nothing"})
    bolt = world.workspace("bolt", queries={"x": '"on acme"'})
    world.workspace("else", queries={"x": "zebra"})
    item = world.item(title="On acme", body="Acme number 1")
    matcher.match(ItemsFetched(part=PollPart(poll="p", part=3), items=(item, world.item(7, title="", body="quiet"))))

    [message] = sent
    assert isinstance(message, ItemsMatched)
    [entry] = message.items
    assert entry.item == item
    first, second = entry.matches
    assert (first.workspace_id, first.query_ids) == (acme, (world.query(acme, "a"), world.query(acme, "b")))
    assert first.highlights == (("body", 0, 4), ("body", 5, 11), ("title", 3, 7))
    assert (second.workspace_id, second.highlights) == (bolt, (("title", 0, 7),))


def test_a_query_is_matched_within_its_limits_and_a_change_of_them_is_live(
    world: World, wanted: Callable[..., list[dict[int, int]]]
) -> None:
    python, rust = world.item(), world.item(7, place="Rust")
    watched = {"subreddits": ["python", "rust"]}
    acme = world.workspace(queries={"a": QuerySpec("a", "acme", places=("rust",)), "b": "acme"}, **watched)
    assert wanted(python, rust) == [{acme: 1}, {acme: 2}]
    world.workspace(queries={"a": QuerySpec("a", "acme", places=("python",)), "b": "acme"}, **watched)
    assert wanted(python, rust) == [{acme: 2}, {acme: 1}]
    world.workspace(queries={"a": QuerySpec("a", "-zebra", places=("rust",))}, **watched)
    assert wanted(python, rust) == [{}, {acme: 1}]


def test_a_match_tells_which_terms_were_found_where(world: World, matcher: Matcher, sent: Sent) -> None:
    acme = world.workspace(queries={"a": '"on acme" OR nothing', "b": "title:acme number"})
    matcher.match(ItemsFetched(part=PollPart(poll="p", part=0), items=(world.item(title="On acme", body="number 1"),)))
    [match] = sent[0].items[0].matches
    a, b = world.query(acme, "a"), world.query(acme, "b")
    assert match.why == (
        (a, '"on acme"', "title", 0, 7), (b, "title:acme", "title", 3, 7), (b, "number", "body", 0, 6),
    )  # fmt: skip


def test_what_is_told_of_a_match_is_bounded_and_fair() -> None:
    def of(query: int, count: int) -> list[Why]:
        return [(query, f"{query} {number}", "title", number, number + 1) for number in range(count)]

    assert capped_reasons(of(1, 3)) == tuple(of(1, 3))
    assert capped_reasons(of(1, 30) + of(2, 2)) == (*of(1, 18), *of(2, 2))
    assert capped_reasons([reason for query in range(30) for reason in of(query, 3)]) == tuple(
        reason for query in range(20) for reason in of(query, 1)
    )


def test_a_very_long_term_is_cut(world: World, matcher: Matcher, sent: Sent) -> None:
    word = "x" * 500
    world.workspace(queries={"a": word})
    matcher.match(ItemsFetched(part=PollPart(poll="p", part=0), items=(world.item(title=word),)))
    [(_, term, _, _, end)] = sent[0].items[0].matches[0].why
    assert (term, end) == ("x" * TERM_MAX_CHARS, 500)
    assert msgspec.json.decode(msgspec.json.encode(sent[0]), type=ItemsMatched) == sent[0]


def test_a_query_that_the_index_refuses_affects_no_other(
    world: World, wanted: Callable[..., list[dict[int, int]]], matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = world.workspace(queries={"a": "acme", "b": "number"})
    add = matcher._index.add

    def refusing(key: int, query: Any, owner: int = 0) -> None:
        if str(query) == "acme":
            raise ValueError
        add(key, query, owner)

    monkeypatch.setattr(matcher._index, "add", refusing)
    assert wanted(world.item(title="acme number")) == [{acme: 1}]


def test_a_part_without_matches_is_sent_on(world: World, matcher: Matcher, sent: Sent) -> None:
    target = PollTarget(1, (5,), "x", 6.0)
    matcher.match(ItemsFetched(part=PollPart(poll="p", part=4, parts=5, targets=(target,)), items=(world.item(),)))
    assert list(sent) == [ItemsMatched(part=PollPart(poll="p", part=4, parts=5, targets=(target,)), items=())]


def test_an_edit_is_sent_on_without_a_match(world: World, matcher: Matcher, sent: Sent) -> None:
    world.workspace(watch=(WatchSpec("bluesky", ("all",)),))
    fields: dict[str, Any] = {"kind": "post", "place": "all", "title": "", "body": "taken back"}
    edit, unwatched = (world.item(source=source, edited_at=5.0, **fields) for source in ("bluesky", "hackernews"))
    other = world.item(7, source="bluesky", **fields)
    matcher.match(ItemsFetched(part=PollPart(poll="p", part=0), items=(edit, unwatched, other)))
    [message] = sent
    assert message.items == (MatchedItem(edit, ()), MatchedItem(unwatched, ())), "what is stored may be mentioned"


def test_what_is_gone_goes_with_the_first_piece(
    world: World, matcher: Matcher, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.workspace(queries={"x": "acme"})
    texts = tuple(world.item(number, title="acme", body="x" * 300_000) for number in (1, 2))
    gone, authors = (("reddit", "t3_9"),), (("reddit", "someone", 5.0),)
    part = PollPart(poll="p", part=0, parts=1)
    matcher.match(ItemsFetched(part=part, items=texts, gone=gone, gone_authors=authors))
    assert [(message.gone, message.gone_authors) for message in sent] == [(gone, authors), ((), ())]


def test_an_item_with_very_many_matches_is_sent_in_pieces(
    matcher: Matcher, sent: Sent, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overheard.chunking.MATCHES_MAX", 3)  # instead of 2,000, to need fewer workspaces
    ids = [world.workspace(f"ws{number}", queries={"x": "acme"}) for number in range(7)]
    texts = [world.item(number, title="acme", body="x" * 300_000) for number in (1, 2)]
    matcher.match(ItemsFetched(part=PollPart(poll="p", part=0, parts=1), items=tuple(texts)))

    assert [message.part.piece for message in sent] == list(range(len(sent)))
    assert {message.part.pieces for message in sent} == {len(sent)}
    assert len(sent) > 1
    for item in texts:
        entries = [entry for message in sent for entry in message.items if entry.item.id == item.id]
        assert [match.workspace_id for entry in entries for match in entry.matches] == ids
        assert all(len(entry.matches) <= 3 for entry in entries)


def test_matches_with_very_many_highlights_are_sent_in_pieces(world: World) -> None:
    """1,000 workspaces with 200 highlights each: megabytes for an item with a short text."""
    spans = tuple((field, at, at + 4) for field in ("body", "title") for at in range(0, 500, 5))
    entry = MatchedItem(world.item(), tuple(WorkspaceMatch(number, (number,), spans) for number in range(1, 1001)))
    pieces = chunks(split_matches(entry), matched_size)
    assert [match for piece in pieces for part in piece for match in part.matches] == list(entry.matches)
    assert max(len(msgspec.json.encode(piece)) for piece in pieces) < 2 * CHUNK_MAX_BYTES


def test_only_who_watches_the_subreddit_and_the_kind_hears_of_it(
    world: World, wanted: Callable[..., list[dict[int, int]]]
) -> None:
    posts = world.workspace("posts", subreddits=["Python"])
    both = world.workspace("both", subreddits=["python"], kinds=["posts", "comments"])
    everything = world.workspace("everything", subreddits=["all"], kinds=["comments"])
    assert wanted(
        world.item(1, place="PYTHON"),
        world.item(2, kind="comment"),
        world.item(3, place="rust"),
        world.item(4, place="rust", kind="comment"),
    ) == [{posts: 1, both: 1}, {both: 1, everything: 1}, {}, {everything: 1}]


def test_added_changed_and_removed_queries_take_effect_at_once(
    world: World, wanted: Callable[..., list[dict[int, int]]]
) -> None:
    item = world.item(title="alpha beta", body="")
    acme = world.workspace(queries={"a": "alpha"})
    assert wanted(item) == [{acme: 1}]
    world.workspace(queries={"a": "alpha", "b": "beta"})
    assert wanted(item) == [{acme: 2}]
    world.workspace(queries={"a": "gamma", "b": "beta"})
    assert wanted(item) == [{acme: 1}]
    world.workspace(queries={"a": "gamma"})
    assert wanted(item) == [{}]


def test_changed_watches_take_effect_at_once(world: World, wanted: Callable[..., list[dict[int, int]]]) -> None:
    item = world.item(place="rust")
    acme = world.workspace(subreddits=["python"])
    assert wanted(item) == [{}]
    world.workspace(subreddits=["python", "rust"])
    assert wanted(item) == [{acme: 1}]
    world.workspace(subreddits=["all"])
    assert wanted(item) == [{acme: 1}]
    world.workspace(subreddits=["python"])
    assert wanted(item) == [{}]


def test_pausing_resuming_and_removing_a_workspace_take_effect_at_once(
    world: World, wanted: Callable[..., list[dict[int, int]]], db: Db
) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    item = world.item()
    assert wanted(item) == [{acme: 1, bolt: 1}]
    workspace_specs.set_active(db, acme, False)
    assert wanted(item) == [{bolt: 1}]
    workspace_specs.set_active(db, acme, True)
    workspace_specs.remove(db, bolt)
    assert wanted(item) == [{acme: 1}]


def test_queries_that_need_no_word_are_counted(
    world: World, wanted: Callable[..., list[dict[int, int]]], metric: Metric
) -> None:
    texts = {"a": "acme", "b": "/[0-9]{4}-[0-9]{4}/", "c": "place:python -jobs", "d": "/acme[0-9]/"}
    acme = world.workspace(queries=texts)
    item = world.item(title="call", body="1234-5678", place="python")
    assert wanted(item) == [{acme: 2}]
    assert metric("always_evaluated_queries") == 2
    workspace_specs.set_active(world.db, acme, False)
    assert wanted(item) == [{}]
    assert metric("always_evaluated_queries") == 0


def test_a_query_that_would_be_refused_today_is_matched_as_before_and_counted(
    world: World, wanted: Callable[..., list[dict[int, int]]], metric: Metric
) -> None:
    long = '"' + "c++ " * 25 + '"'
    item = world.item(title="acme or db", body="c++ " * 30)
    acme = world.workspace(queries={"a": "acme or db", "b": long, "c": "acme", "d": "subject:acme", "e": "acme AND"})
    assert wanted(item) == [{acme: 3}]
    assert (metric("queries"), metric("refused_queries", matched="yes")) == (4, 3)
    assert metric("refused_queries", matched="no") == 1
    world.workspace(queries={"a": "acme OR db", "c": "acme"})
    assert wanted(item) == [{acme: 2}]
    assert metric("refused_queries", matched="yes") + metric("refused_queries", matched="no") == 0


def test_refused_queries_are_counted_while_no_other_thread_can_change_them(world: World, matcher: Matcher) -> None:
    class Refused(dict[int, tuple[int, bool]]):
        def values(self) -> Any:
            assert matcher._refreshing.locked()
            return super().values()

    matcher._refused_queries = Refused()
    world.workspace(queries={"a": "acme or db"})
    matcher.refresh()
    assert len(matcher._refused_queries) == 1


def test_an_unreadable_stored_query_affects_no_other(
    world: World, wanted: Callable[..., list[dict[int, int]]], db: Db
) -> None:
    acme, bolt = world.workspace("acme", queries={"a": "acme", "b": "acme number"}), world.workspace("bolt")
    item = world.item()
    assert wanted(item) == [{acme: 2, bolt: 1}]
    for text in ('"never closed', "NOT acme", "", "\x00"):
        with db.transaction():
            Query.update(text=text, revision=queries.next_revision(db)).where(
                Query.workspace == acme, Query.name == "a"
            ).execute(db.peewee)
        assert wanted(item) == [{acme: 1, bolt: 1}]


def test_nothing_is_loaded_when_nothing_changed(
    world: World, wanted: Callable[..., list[dict[int, int]]], monkeypatch: pytest.MonkeyPatch, metric: Metric
) -> None:
    acme = world.workspace(queries={"a": "acme", "b": "b"})
    wanted(world.item())
    assert metric("queries") == 2
    with monkeypatch.context() as patch:
        patch.setattr(queries, "changed_since", pytest.fail)
        patch.setattr(queries, "watches_since", pytest.fail)
        assert wanted(world.item()) == [{acme: 1}]


@pytest.mark.parametrize("load", ["changed_since", "watches_since"])
def test_a_refresh_that_failed_is_repeated(
    load: str, world: World, wanted: Callable[..., list[dict[int, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = world.workspace()

    def away(*args: Any) -> None:
        raise Unavailable("the database")

    with monkeypatch.context() as patch:
        patch.setattr(queries, load, away)
        with pytest.raises(Unavailable):
            wanted(world.item())
    assert wanted(world.item()) == [{acme: 1}]


def test_only_what_changed_is_read_again(
    world: World, wanted: Callable[..., list[dict[int, int]]], matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed query loads that query alone; changed places load no query at all."""
    many = {f"q{number}": f"acme{number}" for number in range(20)}
    world.workspace(queries=many, subreddits=["python", "rust"])
    wanted(world.item())
    added, watched = [], []
    add, watch = matcher._add, matcher._index.watch
    monkeypatch.setattr(matcher, "_add", lambda *given: (added.append(given[2]), add(*given)))
    monkeypatch.setattr(matcher._index, "watch", lambda *given: (watched.append(given), watch(*given)))

    world.workspace(queries=many, subreddits=["python", "rust"])
    wanted(world.item())
    assert (added, watched) == ([], [])

    acme = world.workspace(queries={**many, "q7": "number"}, subreddits=["python", "rust"])
    assert wanted(world.item()) == [{acme: 1}]
    assert (added, watched) == (["number"], [])

    world.workspace(queries={**many, "q7": "number"}, subreddits=["python"])
    assert wanted(world.item(place="rust")) == [{}]
    assert (added, len(watched)) == (["number"], 1)


def test_nothing_is_kept_of_a_removed_or_paused_workspace(
    world: World, wanted: Callable[..., list[dict[int, int]]], matcher: Matcher, db: Db
) -> None:
    """Not even of queries that could not be parsed."""
    queries = {"a": "acme", "broken": "acme AND", "old": "acme or number"}
    acme, bolt = world.workspace("acme", queries=queries), world.workspace("bolt", queries=queries)
    wanted(world.item())
    workspace_specs.set_active(db, acme, False)
    workspace_specs.remove(db, bolt)
    places = {("reddit", "post", "python")}
    assert wanted(world.item()) == [{}]
    assert (len(matcher._index), matcher._refused_queries, matcher._index._watchers.keys()) == (0, {}, places)
    workspace_specs.set_active(db, acme, True)
    assert wanted(world.item()) == [{acme: 1}]


def test_a_refresh_that_fails_at_any_step_is_completed_by_the_next(
    world: World, wanted: Callable[..., list[dict[int, int]]], matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is changed before the next refresh, the index then equals the database."""
    item = world.item(title="alpha beta gamma delta", body="", place="rust")
    before = {"queries": {"a": "alpha", "b": "beta"}, "subreddits": ["rust", "python"]}
    during = {"queries": {"a": "gamma", "c": "delta", "b": "beta"}, "subreddits": ["go", "rust", "c"]}
    for step in range(20):
        steps = iter(range(20))

        def failing(do: Any, steps: Any = steps, step: int = step) -> Any:
            def call(*given: Any) -> Any:
                if next(steps) == step:
                    raise TimeoutError
                return do(*given)

            return call

        acme = world.workspace(**before)
        bolt = world.workspace("bolt", queries={"x": "alpha"}, subreddits=["all"])
        assert wanted(item) == [{acme: 2, bolt: 1}]
        world.workspace(**during)
        world.workspace("bolt", queries={"x": "zebra"}, subreddits=["all"])
        with monkeypatch.context() as patch:
            patch.setattr(matcher._index, "add", failing(matcher._index.add))
            patch.setattr(matcher._index, "remove", failing(matcher._index.remove))
            patch.setattr(matcher._index, "watch", failing(matcher._index.watch))
            with suppress(TimeoutError):
                matcher.refresh()
        world.workspace(queries={"a": "gamma"}, subreddits=["rust"])
        assert wanted(item) == [{acme: 1}]
        assert len(matcher._index) == 2
        assert {place: len(watchers) for place, watchers in matcher._index._watchers.items()} == {
            ("reddit", "post", "rust"): 1,
            ("reddit", "post", "all"): 1,
        }


def test_sets_of_watchers_are_never_copied(
    world: World, wanted: Callable[..., list[dict[int, int]]], matcher: Matcher
) -> None:
    """A change costs as much as it changes, however many others watch the same place."""
    for number in range(20):
        world.workspace(f"w{number}", subreddits=["python", "all"])
    matcher.refresh()
    sets = {place: id(watchers) for place, watchers in matcher._index._watchers.items()}
    world.workspace("w7", subreddits=["all"], queries={"other": "acme"})
    world.workspace("w8", subreddits=["python"])
    assert len(wanted(world.item())[0]) == 20
    assert {place: id(watchers) for place, watchers in matcher._index._watchers.items()} == sets
    assert {place[2]: len(watchers) for place, watchers in matcher._index._watchers.items()} == {
        "python": 19,
        "all": 19,
    }


def test_a_workspace_misses_nothing_while_its_other_watches_change(
    world: World, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its item waits for the lock while a place's queries change; before that, it must be seen to be watched."""
    item = world.item(place="rust")
    world.workspace(subreddits=["rust", "python"])
    matcher.refresh()
    missed: list[str] = []

    class Watched(set[int]):
        def _check(self) -> None:
            if not matcher._index.is_watched(item.found_in):
                missed.append("missed")

        def add(self, one: int) -> None:
            super().add(one)
            self._check()

        def discard(self, one: int) -> None:
            super().discard(one)
            self._check()

    monkeypatch.setattr(matcher._index, "_watchers", {k: Watched(v) for k, v in matcher._index._watchers.items()})
    world.workspace(subreddits=["go", "rust"], queries={"brand": "acme", "more": "number"})
    matcher.refresh()
    assert missed == []


def test_the_index_is_built_before_the_stage_consumes(
    world: World, sqlite_url: str, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the database is unavailable for a while at that moment."""
    world.workspace(queries={"a": "acme", "b": "b"})
    running = RunningProcess(Config(database=DatabaseSettings(url=SecretStr(sqlite_url))))
    revision, faults = queries.revision, iter([Unavailable("gone"), Unavailable("gone")])

    def shaky(db: Db) -> int:
        for fault in faults:
            raise fault
        return revision(db)

    monkeypatch.setattr(queries, "revision", shaky)
    monkeypatch.setattr("actors.wiring.DATABASE_RETRY_SECONDS", 0.0)
    with capture_logs() as lines:
        Wiring(running, Sender(sent)).work(STAGES["match"])
    running.db.release()
    assert running.registry.get_sample_value("overheard_queries") == 2
    assert [line["event"] for line in lines] == ["not ready yet"] * 2


def test_the_garbage_collector_pauses_while_the_index_is_built(
    world: World, matcher: Matcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if that fails, it goes on afterwards; and never through what was loaded."""
    world.workspace(queries={"a": "acme"})
    enabled: list[bool] = []
    refresh = matcher.refresh

    def failing() -> None:
        enabled.append(gc.isenabled())
        if len(enabled) == 1:
            raise TimeoutError
        refresh()

    monkeypatch.setattr(matcher, "refresh", failing)
    with pytest.raises(TimeoutError):
        matcher.load()
    assert gc.isenabled()
    try:
        matcher.load()
        assert (enabled, gc.isenabled(), len(matcher._index)) == ([False, False], True, 1)
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_threads_may_match_while_queries_change(world: World, matcher: Matcher, db: Db) -> None:
    """Queries that do not change are found all the time."""
    for number in range(5):
        world.workspace(f"w{number}")
    item = world.item()
    matcher.refresh()
    stop, wrong = threading.Event(), []

    def match() -> None:
        try:
            with db.session():
                while not stop.is_set():
                    matcher.refresh()
                    entry = matcher._match_item(item)
                    if entry is None or {match.workspace_id for match in entry.matches} < {1, 2, 3, 4}:
                        wrong.append(entry)
        except BaseException as error:  # noqa: BLE001 (reported below)
            wrong.append(error)
        finally:
            db.release()

    threads = [threading.Thread(target=match) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(15):
        world.workspace("w4", subreddits=["python", f"sub{number}"], queries={"brand": f"acme OR x{number}"})
    stop.set()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_spans_of_several_queries_are_merged() -> None:
    spans = {("title", 0, 4), ("body", 3, 7), ("body", 0, 4), ("body", 7, 9), ("body", 11, 12), ("title", 1, 2)}
    assert capped_highlights(spans) == (("body", 0, 9), ("body", 11, 12), ("title", 0, 4))
    assert capped_highlights(set()) == ()


def test_the_first_spans_of_each_field_are_kept() -> None:
    spans = {(field, at, at + 1) for field in ("body", "title") for at in range(0, 1000, 2)}
    kept = capped_highlights(spans)
    assert len(kept) == 2 * MAX_HIGHLIGHTS
    assert kept[:1] + kept[-1:] == (("body", 0, 1), ("title", 2 * MAX_HIGHLIGHTS - 2, 2 * MAX_HIGHLIGHTS - 1))


def test_queries_are_filed_by_what_was_learned_of_words(world: World, matcher: Matcher, db: Db) -> None:
    word_frequencies.replace(db, [("acme", 500, 0.5), ("number", 5, 0.001)])
    world.workspace(queries={"a": "acme number"})
    matcher.refresh()
    assert [list(shelf._by_anchor) for shelf in matcher._index._shelves.values()] == [["number"]]
