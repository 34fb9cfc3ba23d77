"""Statements that run for every message: peewee renders each once, and from then on only the values change.

    @compiled
    def _names(db: Db, workspace: Any, ids: Any) -> Any:
        return Query.select(Query.name).where(Query.workspace == workspace, Query.id.in_(ids))

    for (name,) in _names(db, workspace=7, ids=[1, 2, 3]): …

The function gets stand-ins for the values, and is called once for each kind of database and each number of values in
a list: what it returns must depend on nothing else. So the time is one of the values, too: ``db.now`` would stand still
where the clock is given. To keep the shapes few, a list for IN is filled up to the next power of two with its last
value again. A list of dicts is for ``insert_many``. Values go to the driver as they are, past the fields' conversions,
and results come as the driver gives them: on SQLite a boolean is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import peewee

from overheard.db.database import Db

MAX_CACHED_SHAPES = 64  # of one statement that are kept; inserts have as many as there are numbers of rows
MAX_SHARED_PATHS = (
    20_000  # that statements share: else a hundred rows of twenty columns would take megabytes in each shape
)


class _ParameterPath(tuple[Any, ...]):
    """Where a parameter's value is found: the argument's name, then the position in its list, then the row's key."""

    __slots__ = ()


@lru_cache(maxsize=MAX_SHARED_PATHS)
def _shared(place: tuple[Any, ...]) -> _ParameterPath:
    return _ParameterPath(place)


class _Parameter(peewee.Node):  # type: ignore[misc,unused-ignore]
    __slots__ = ("place",)

    def __init__(self, *place: Any) -> None:
        self.place = _shared(place)

    def __sql__(self, ctx: Any) -> Any:
        return ctx.value(self.place, converter=False)


class CompiledStatement:
    """A statement. Called, it runs and returns its rows."""

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build
        self._rendered: dict[Any, tuple[str, tuple[Any, ...]]] = {}
        self._lock = Lock()

    def __call__(self, db: Db, **values: Any) -> list[tuple[Any, ...]]:
        shape = (db.sqlite, *map(_shape, values.values()))
        sql, places = self._rendered.get(shape) or self._render(db, values, shape)
        given = [_value(values, place) if type(place) is _ParameterPath else place for place in places]
        cursor = db.peewee.execute_sql(sql, given)  # type: ignore[no-untyped-call]
        return list(cursor.fetchall()) if cursor.description else []

    def _render(self, db: Db, values: dict[str, Any], shape: Any) -> tuple[str, tuple[Any, ...]]:
        query = self._build(db, **{name: _stand_in(name, value) for name, value in values.items()})
        sql, places = db.peewee.get_sql_context().sql(query).query()  # type: ignore[no-untyped-call]
        with self._lock:
            self._rendered[shape] = sql, places
            if len(self._rendered) > MAX_CACHED_SHAPES:
                del self._rendered[next(iter(self._rendered))]
        return sql, places


def compiled(build: Callable[..., Any]) -> CompiledStatement:
    """Make a statement of a function that returns a query."""
    return CompiledStatement(build)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shape(value: Any) -> Any:
    if not _is_list(value):
        return None
    if value and isinstance(value[0], Mapping):
        return len(value), *value[0]
    return _filled(len(value))


def _filled(count: int) -> int:
    return 1 << (count - 1).bit_length() if count else 0


def _stand_in(name: str, value: Any) -> Any:
    if not _is_list(value):
        return _Parameter(name)
    if value and isinstance(value[0], Mapping):
        return [{key: _Parameter(name, at, key) for key in row} for at, row in enumerate(value)]
    return [_Parameter(name, at) for at in range(_filled(len(value)))]


def _value(values: dict[str, Any], place: _ParameterPath) -> Any:
    value = values[place[0]]
    if len(place) == 1:
        return value
    if len(place) == 2:
        return value[min(place[1], len(value) - 1)]
    return value[place[1]][place[2]]
