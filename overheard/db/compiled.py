"""Statements that run for every message: peewee renders each once, and after that only the values change.

    @compiled
    def _names(db: Db, workspace: Any, ids: Any) -> Any:
        return Query.select(Query.name).where(Query.workspace == workspace, among(Query.id, ids))

    for (name,) in _names(db, workspace=7, ids=[1, 2, 3]): …

The function gets placeholders for the values, and is called once for each kind of database and each kind of list: what
it returns must depend on nothing else. ``db.now`` may stand in it, and is read at each call.

A list of values of one type is for ``among``; a list of dicts with the same keys is for ``inserted``. Either is one
value of JSON, however long it is: the server plans one statement, and the driver has one value to send. Values go to
the driver unconverted, past the fields' conversions, and results come as the driver gives them: on SQLite a boolean is
0 or 1. A text with NUL is a ValueError: neither database can have it in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

import msgspec
import peewee

from overheard.db.database import Db

NOW = "db.now"  # the value of a given clock; not the name of an argument
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # not a backslash that is followed by u0000
TYPES = {int: "BIGINT", float: "DOUBLE PRECISION", str: "TEXT"}


class _ParameterName(str):
    """The argument whose value a parameter has; among a statement's parameters, anything else is a constant."""

    __slots__ = ()


class _Parameter(peewee.Node):  # type: ignore[misc,unused-ignore]
    def __init__(self, name: str) -> None:
        self.name = _ParameterName(name)

    def __sql__(self, ctx: Any) -> Any:
        return ctx.value(self.name, converter=False)


class _ListParameter(_Parameter):
    """A list, for ``among`` and ``not_among``. ``type`` is that of its values."""

    def __init__(self, db: Db, name: str, type: str) -> None:
        super().__init__(name)
        self.sqlite = db.sqlite
        self.type = type

    def __sql__(self, ctx: Any) -> Any:
        if self.sqlite:
            return super().__sql__(ctx.literal("(SELECT value FROM json_each(")).literal("))")
        ctx.literal("(ARRAY(SELECT value::").literal(self.type).literal(" FROM json_array_elements_text(")
        return super().__sql__(ctx).literal(") AS list(value)))")


def among(column: Any, values: Any) -> Any:
    """Return the condition that the column has one of the values of a list.

    On PostgreSQL these are an array: of a subquery it expects a hundred rows, and reads the whole table instead.
    """
    if isinstance(values, _ListParameter) and not values.sqlite:
        return peewee.Expression(column, "= ANY", values)
    return column.in_(values)


def not_among(column: Any, values: Any) -> Any:
    """Return the condition that the column has none of the values of a list."""
    if isinstance(values, _ListParameter) and not values.sqlite:
        return peewee.Expression(column, "<> ALL", values)
    return column.not_in(values)


class RowsParameter(_Parameter):
    """Rows to insert, which have these ``keys``."""

    def __init__(self, db: Db, name: str, keys: Sequence[str]) -> None:
        super().__init__(name)
        self.sqlite = db.sqlite
        self.keys = keys


class _RowsQuery(peewee.SQL):  # type: ignore[misc,unused-ignore]
    """The query that reads the rows, and the fields' defaults; SQL, as peewee inserts from nothing else of ours."""

    def __init__(self, rows: RowsParameter, fields: Mapping[str, Any], defaults: Mapping[Any, Any]) -> None:
        self.rows, self.fields, self.defaults = rows, fields, defaults

    def __sql__(self, ctx: Any) -> Any:
        sqlite = self.rows.sqlite
        given = [f"""json_extract(value, '$."{name}"')""" if sqlite else f'"{name}"' for name in self.fields]
        ctx.literal("SELECT ").literal(", ".join(given))
        for field, default in self.defaults.items():
            ctx.literal(", CAST(").sql(peewee.Value(default, converter=False)).literal(f" AS {_type(field, ctx)})")
        ctx.literal(" FROM json_each(" if sqlite else " FROM json_to_recordset(").sql(self.rows)
        if sqlite:
            return ctx.literal(") WHERE true")  # else an ON CONFLICT that follows would be the condition of a join
        columns = (f'"{name}" {_type(field, ctx)}' for name, field in self.fields.items())
        return ctx.literal(") AS list(").literal(", ".join(columns)).literal(")")


def _type(field: Any, ctx: Any) -> str:
    return str(field.ddl_datatype(ctx).sql)


def inserted(model: Any, rows: RowsParameter) -> Any:
    """Return the query that inserts the rows, in their order, with the fields' defaults where they have no key."""
    fields = {key: getattr(model, key) for key in rows.keys}
    defaults = {field: value for field, value in model._meta.defaults.items() if field.name not in fields}
    return model.insert_from(_RowsQuery(rows, fields, defaults), [*fields.values(), *defaults])


class CompiledStatement:
    """A statement that runs when called, and returns its rows."""

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build
        self._rendered: dict[Any, tuple[str, tuple[Any, ...]]] = {}
        self._lock = Lock()

    def __call__(self, db: Db, **values: Any) -> list[tuple[Any, ...]]:
        shape = (db.sqlite, db.clock_is_given, *map(_shape, values.values()))
        sql, parameters = self._rendered.get(shape) or self._render(db, values, shape)
        for name, value in values.items():
            if _is_list(value):
                values[name] = _encoded(value)
        if db.clock_is_given:
            values[NOW] = db.clock()
        arguments = [values[each] if type(each) is _ParameterName else each for each in parameters]
        cursor = db.peewee.execute_sql(sql, arguments)  # type: ignore[no-untyped-call]
        return list(cursor.fetchall()) if cursor.description else []

    def _render(self, db: Db, values: dict[str, Any], shape: Any) -> tuple[str, tuple[Any, ...]]:
        builder = Db(db.peewee, sqlite=db.sqlite, clock=_given_now) if db.clock_is_given else db
        query = self._build(builder, **{name: _placeholder(db, name, value) for name, value in values.items()})
        sql, parameters = db.peewee.get_sql_context().sql(query).query()  # type: ignore[no-untyped-call]
        with self._lock:
            self._rendered[shape] = sql, parameters
        return sql, parameters


def _encoded(values: Sequence[Any]) -> str:
    text = msgspec.json.encode(values).decode()
    if r"\u0000" in text and NUL.search(text):
        raise ValueError("a text contains NUL: SQLite would end it there, and PostgreSQL refuses it")
    return text


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
    if not value:
        return ()
    return tuple(value[0]) if isinstance(value[0], Mapping) else TYPES[type(value[0])]


def _placeholder(db: Db, name: str, value: Any) -> Any:
    if not _is_list(value):
        return _Parameter(name)
    if not value:
        return ()  # peewee turns IN () into a condition that is never true
    shape = _shape(value)
    return _ListParameter(db, name, shape) if isinstance(shape, str) else RowsParameter(db, name, shape)
