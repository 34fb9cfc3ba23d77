"""Statements that are rendered once do what peewee's own do, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.db.compiled import CompiledStatement, among, compiled, inserted, not_among
from overheard.db.database import Db
from overheard.db.models import Erased, Revision, Workspace
from tests.fixtures import Clock, Race, World


@pytest.fixture
def rendered() -> list[str]:
    """The names of the statements that were rendered, one for each time."""
    return []


@pytest.fixture
def remembered(rendered: list[str]) -> CompiledStatement:
    @compiled
    def select(db: Db, keys: Any, after: Any) -> Any:
        rendered.append("select")
        return (
            Erased.select(Erased.key, Erased.at).where(among(Erased.key, keys), Erased.at > after).order_by(Erased.key)
        )

    return select


@compiled
def _remember(db: Db, rows: Any) -> Any:
    return inserted(Erased, rows).on_conflict_ignore().returning(Erased.key)


@compiled
def _renew(db: Db, keys: Any, at: Any) -> Any:
    return Erased.update(at=at).where(among(Erased.key, keys))


def rows(count: int) -> list[dict[str, object]]:
    return [{"key": f"k{number}", "at": float(number)} for number in range(count)]


def test_lists_of_any_length_work(db: Db, remembered: CompiledStatement, rendered: list[str]) -> None:
    _remember(db, rows=rows(20))
    for count in range(18):
        found = remembered(db, keys=[f"k{number}" for number in range(count)], after=0.5)
        assert sorted(found) == sorted((f"k{number}", float(number)) for number in range(1, count))
    assert len(rendered) == 2, "once without a key, and once with any number of them"


def test_rows_are_inserted_and_what_is_returned_is_new(db: Db) -> None:
    assert sorted(_remember(db, rows=rows(2))) == [("k0",), ("k1",)]
    assert _remember(db, rows=rows(3)) == [("k2",)]
    assert _remember(db, rows=rows(3)) == []


def test_values_arrive_as_they_were_and_defaults_beside_them(db: Db, world: World) -> None:
    @compiled
    def insert(db: Db, rows: Any) -> Any:
        return inserted(Workspace, rows).returning(Workspace.slug)

    names = ['"quoted" \\ \n {}', "$.x", "%s", "\u2028 😀 ", ""]
    times = [1795869564.123457, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0]
    made = [
        {"slug": f"w{at}", "name": name, "every": "1d", "created_at": time, "next_due_at": at, "digest": None}
        for at, (name, time) in enumerate(zip(names, times, strict=True))
    ]
    assert insert(db, rows=made) == [("w0",), ("w1",), ("w2",), ("w3",), ("w4",)], "in their order"
    columns = (Workspace.name, Workspace.created_at, Workspace.next_due_at, Workspace.digest, Workspace.active)
    stored = list(
        Workspace.select(*columns, Workspace.timezone, Workspace.digest_asked_at)
        .order_by(Workspace.slug)
        .tuples()
        .execute(db.peewee)
    )
    assert stored == [(row["name"], row["created_at"], row["next_due_at"], None, True, "UTC", 0) for row in made]


def test_numbers_are_found_in_columns_of_either_size(db: Db) -> None:
    @compiled
    def select(db: Db, numbers: Any, without: Any) -> Any:
        of_numbers = among(Revision.value, numbers) & not_among(Revision.value, without)
        return Revision.select(Revision.value).where(of_numbers).order_by(Revision.value)

    numbers = [1, 2**31, 2**53 + 1, 2**63 - 1]
    for value in numbers:
        Revision.insert(name=str(value), value=value).execute(db.peewee)
    assert select(db, numbers=numbers, without=[2**31]) == [(1,), (2**53 + 1,), (2**63 - 1,)]
    assert select(db, numbers=[2**53], without=[]) == []


@pytest.mark.parametrize("text", ["a\0b", "\\\0"])
def test_a_text_that_would_be_cut_is_refused(db: Db, remembered: CompiledStatement, text: str) -> None:
    with pytest.raises(ValueError, match="NUL"):
        remembered(db, keys=["k1", text], after=0.0)
    with pytest.raises(ValueError, match="NUL"):
        _remember(db, rows=[{"key": text, "at": 1.0}])


def test_a_text_that_only_looks_like_nul_is_found(db: Db, remembered: CompiledStatement) -> None:
    texts = [r"\u0000", r"\\u0000", "\\\\u0000x"]
    _remember(db, rows=[{"key": text, "at": 1.0} for text in texts])
    assert {key for key, _ in remembered(db, keys=texts, after=0.0)} == set(texts)


def test_an_update_without_returning_gives_no_rows(db: Db) -> None:
    _remember(db, rows=rows(5))
    assert _renew(db, keys=["k1", "k2", "gone"], at=9.0) == []
    assert _renew(db, keys=["k1"], at=8.0) == []
    assert sorted(Erased.select(Erased.at).tuples().execute(db.peewee)) == [(0.0,), (3.0,), (4.0,), (8.0,), (9.0,)]


def test_constants_and_none_stand_beside_values(db: Db, world: World) -> None:
    @compiled
    def put(db: Db, slug: Any, since: Any) -> Any:
        paused = Workspace.update(active=False, digest_end=since).where(Workspace.slug == slug, Workspace.active)
        return paused.returning(Workspace.slug)

    world.workspace()
    assert put(db, slug="acme", since=None) == [("acme",)]
    assert put(db, slug="acme", since=1.0) == []


def test_the_time_is_read_at_each_call(db: Db, clock: Clock, rendered: list[str]) -> None:
    @compiled
    def touch(db: Db, key: Any) -> Any:
        rendered.append("touch")
        return Erased.insert(key=key, at=db.now).returning(Erased.at, db.greatest(db.now + 1, Erased.at).alias("later"))

    assert touch(Db(db.peewee, sqlite=db.sqlite, clock=clock), key="a") == [(clock.now, clock.now + 1)]
    clock.advance(60)
    assert touch(Db(db.peewee, sqlite=db.sqlite, clock=clock), key="b") == [(clock.now, clock.now + 1)]
    assert touch(db, key="c")[0][0] != clock.now, "the database's own is in the statement"
    assert len(rendered) == 2, "once for each kind of clock"


def test_concurrent_threads_can_render(db: Db, race: Race, remembered: CompiledStatement) -> None:
    _remember(db, rows=rows(9))
    wanted = [[f"k{number}" for number in range(1, count)] for count in (2, 3, 5, 9)]
    found = race(*[lambda keys=keys: [key for key, _ in remembered(db, keys=keys, after=0.0)] for keys in wanted])
    assert found == wanted
