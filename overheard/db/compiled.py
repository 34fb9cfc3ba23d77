"""Statements that run for every message: peewee renders each once, and after that only the values change.

    @compiled
    def _names(db: Db, workspace: Any, ids: Any) -> Any:
        return Query.select(Query.name).where(Query.workspace == workspace, Query.id.in_(ids))

    for (name,) in _names(db, workspace=7, ids=[1, 2, 3]): …

The function gets placeholders for the values, and is called once for each kind of database and each number of values in
a list: what it returns must depend on nothing else. ``db.now`` may stand in it, and is read at each call. To keep the
shapes few, a list for IN is padded to the next power of two with its last value. A list of dicts is for
``insert_many``. Values go to the driver unconverted, past the fields' conversions, and results come as the driver gives
them: on SQLite a boolean is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import peewee

from overheard.db.database import Db

MAX_CACHED_SHAPES = 64  # of one statement; an insert has a shape for each number of rows
# Shared by all statements: without sharing, a hundred rows of twenty columns would take megabytes in each shape.
MAX_SHARED_PATHS = 20_000
NOW = "db.now"  # the value of a given clock; not the name of an argument


class _ParameterPath(tuple[Any, ...]):
    """Where to find a parameter's value: the argument's name, then the position in its list, then the row's key."""

    __slots__ = ()


@lru_cache(maxsize=MAX_SHARED_PATHS)
def _shared(path: tuple[Any, ...]) -> _ParameterPath:
    return _ParameterPath(path)


class _Parameter(peewee.Node):  # type: ignore[misc,unused-ignore]
    __slots__ = ("path",)

    def __init__(self, *path: Any) -> None:
        self.path = _shared(path)

    def __sql__(self, ctx: Any) -> Any:
        return ctx.value(self.path, converter=False)


class CompiledStatement:
    """A statement that runs when called, and returns its rows."""

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build
        self._rendered: dict[Any, tuple[str, tuple[Any, ...]]] = {}
        self._lock = Lock()

    def __call__(self, db: Db, **values: Any) -> list[tuple[Any, ...]]:
        shape = (db.sqlite, db.clock_is_given, *map(_shape, values.values()))
        sql, paths = self._rendered.get(shape) or self._render(db, values, shape)
        if db.clock_is_given:
            values[NOW] = db.clock()
        arguments = [_value(values, path) if type(path) is _ParameterPath else path for path in paths]
        cursor = db.peewee.execute_sql(sql, arguments)  # type: ignore[no-untyped-call]
        return list(cursor.fetchall()) if cursor.description else []

    def _render(self, db: Db, values: dict[str, Any], shape: Any) -> tuple[str, tuple[Any, ...]]:
        builder = Db(db.peewee, sqlite=db.sqlite, clock=_given_now) if db.clock_is_given else db
        query = self._build(builder, **{name: _parameters(name, value) for name, value in values.items()})
        sql, paths = db.peewee.get_sql_context().sql(query).query()  # type: ignore[no-untyped-call]
        with self._lock:
            self._rendered[shape] = sql, paths
            if len(self._rendered) > MAX_CACHED_SHAPES:
                del self._rendered[next(iter(self._rendered))]
        return sql, paths


def _given_now() -> Any:
    return _Parameter(NOW)


def compiled(build: Callable[..., Any]) -> CompiledStatement:
    """Turn a function that returns a query into a statement."""
    return CompiledStatement(build)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shape(value: Any) -> Any:
    if not _is_list(value):
        return None
    if value and isinstance(value[0], Mapping):
        return len(value), *value[0]
    return _padded(len(value))


def _padded(count: int) -> int:
    return 1 << (count - 1).bit_length() if count else 0


def _parameters(name: str, value: Any) -> Any:
    if not _is_list(value):
        return _Parameter(name)
    if value and isinstance(value[0], Mapping):
        return [{key: _Parameter(name, at, key) for key in row} for at, row in enumerate(value)]
    return [_Parameter(name, at) for at in range(_padded(len(value)))]


def _value(values: dict[str, Any], path: _ParameterPath) -> Any:
    value = values[path[0]]
    if len(path) == 1:
        return value
    if len(path) == 2:
        return value[min(path[1], len(value) - 1)]
    return value[path[1]][path[2]]
