"""What is wrong with the tables of a workspace file before they make a workspace: unknown and missing keys, and types.

msgspec would stop at the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import msgspec

from overheard.channels.redact import HIDDEN
from overheard.channels.rendering.sanitize import truncate
from overheard.decoding import converter
from overheard.workspaces.parts import NAME_MAX_CHARS
from overheard.workspaces.problems import Path, SpecProblem, valid_names, within
from overheard.workspaces.spec import KINDS, ChannelMode, ChannelSpec, MuteSpec, QuerySpec, WatchSpec, WorkspaceSpec

MESSAGE_MAX_CHARS = 200  # of a validation error, which may repeat a value of any length
CHOICES = {"kinds": KINDS, "mode": get_args(ChannelMode)}
CHOICE_MAX_CHARS = 12  # a longer one is not repeated: it may be a secret in the wrong place
INVALID_CHOICE = re.compile(r"Invalid enum value '?(.*?)'?(?: - at `[^`]*`)?", re.DOTALL)
WRONG_TYPE = re.compile(r"Expected `([a-z]+)[^`]*`, got `([a-z]+)`.*", re.DOTALL)
TYPE_WORDS = {
    "str": "a text in quotes",
    "int": "a whole number",
    "float": "a number with a fraction",
    "bool": "true or false",
    "array": "a list in brackets",
    "object": "a table",
    "datetime": "a date; put it into quotes",
    "date": "a date; put it into quotes",
    "time": "a time; put it into quotes",
}
PARTS: dict[str, type[msgspec.Struct]] = {
    "watch": WatchSpec,
    "query": QuerySpec,
    "channel": ChannelSpec,
    "mute": MuteSpec,
}
STRUCTS: tuple[type[msgspec.Struct], ...] = (WorkspaceSpec, *PARTS.values())
FILLED_IN = "?"
# What others refer to, and where they do.
WATCH_KEYS, QUERY_KEYS = ("watch", "source", "places"), ("query", "name")
WATCH_REFERENCES, QUERY_REFERENCES = ("subreddits", "places", "sources", "kinds", "place"), ("query", "queries")
FIELDS = {struct: msgspec.structs.fields(struct) for struct in STRUCTS}
CONVERTERS = {(struct, field.name): converter(field.type) for struct in STRUCTS for field in FIELDS[struct]}


def unknown_keys(table: dict[str, Any]) -> Iterator[SpecProblem]:
    """Yield each key of a workspace's table, or of its parts, that does not exist."""
    for where, path, struct, row in _tables(table):
        fields = struct.__struct_fields__
        for key in row:
            if key not in fields:
                shown = truncate(key, NAME_MAX_CHARS)
                yield SpecProblem(f"{where}unknown key {shown!r}; {valid_names(key, fields)}", (*path, key))


def wrong_types(table: dict[str, Any]) -> Iterator[SpecProblem]:
    """Yield each missing key, and each value of a wrong type."""
    for where, path, struct, row in _tables(table):
        for field in FIELDS[struct]:
            name = field.name
            if name not in row and field.required:
                yield SpecProblem(f"{where}{name} is missing: write {name} = …", (*path, name))
            elif name in row and not (is_part := name in PARTS and not path and isinstance(row[name], list)):
                yield from within((*path, name), _value_problems(struct, name, row[name], where))
            elif name in row and is_part and not all(isinstance(each, dict) for each in row[name]):
                yield SpecProblem(f"{name}: must be tables: write [[workspace.{name}]] for each", (name,))


def without(table: dict[str, Any], problems: Iterable[SpecProblem]) -> dict[str, Any]:
    """Return the table without the keys that these problems are about, so that the others can be checked.

    Those that have to be there are filled in.
    """
    left = {name: _copied(each) if name in PARTS else each for name, each in table.items()}
    for problem in sorted(problems, key=lambda each: -len(each.path)):  # the keys of a row before the row
        row: Any = left
        for step in problem.path[:-1]:
            row = row[step]
        row.pop(problem.path[-1], None)
    for _, _, struct, row in _tables(left):
        row |= {field.name: FILLED_IN for field in FIELDS[struct] if field.required and field.name not in row}
    return left


def _copied(rows: Any) -> Any:
    return [dict(row) if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else rows


def is_consequence(problem: SpecProblem, wrong: Iterable[SpecProblem]) -> bool:
    """Return True if a problem of what ``without`` returns may be there because of what is missing in it."""
    paths = {each.path for each in wrong}
    last = problem.path[-1] if problem.path else ""
    watches = any(path[0] == "subreddits" or (path[0] == "watch" and path[-1] in WATCH_KEYS) for path in paths)
    queries = any(path[0] == "query" and path[-1] in QUERY_KEYS for path in paths)
    return problem.path in paths or (watches and last in WATCH_REFERENCES) or (queries and last in QUERY_REFERENCES)


def _tables(table: dict[str, Any]) -> Iterator[tuple[str, Path, type[msgspec.Struct], dict[str, Any]]]:
    """Yield what to write before a problem, path, struct and content of a workspace's table and of its parts."""
    yield "", (), WorkspaceSpec, table
    for part, struct in PARTS.items():
        rows = table.get(part)
        for position, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict):
                name = row.get("name")
                named = f"{part} {truncate(name, NAME_MAX_CHARS)!r}: " if isinstance(name, str) else f"{part}: "
                yield named, (part, position), struct, row


def _value_problems(struct: type[msgspec.Struct], key: str, value: Any, where: str) -> Iterator[str]:
    try:
        CONVERTERS[struct, key](value)
    except msgspec.ValidationError as error:
        yield f"{where}{key}: {_in_words(str(error), key)}"


def _in_words(message: str, key: str) -> str:
    if choice := INVALID_CHOICE.fullmatch(message):
        word = choice[1] if len(choice[1]) <= CHOICE_MAX_CHARS else HIDDEN
        return f"{word!r} is not known; {valid_names(word, CHOICES.get(key, ()))}"
    if wrong := WRONG_TYPE.fullmatch(message):
        expected, got = (TYPE_WORDS.get(name, name) for name in wrong.groups())
        choices = f"; {valid_names('', CHOICES[key])}" if key in CHOICES else ""
        return f"must be {expected}, not {got}{choices}"
    return truncate(message, MESSAGE_MAX_CHARS)
