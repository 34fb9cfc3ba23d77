"""In which line of a workspace file a table or a key is. ``tomllib`` does not say, so the text is searched.

Strings and comments are blanked first, so that what looks like a table inside of them is not taken for one. For what is
written in another way than usual (inline tables, quoted keys) the line of the table or key around it is returned.
"""

from __future__ import annotations

import re

import msgspec

from overheard.workspaces.problems import Path

STRING_OR_COMMENT = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'" r"|#[^\n]*", re.DOTALL
)
TABLE = re.compile(r"\s*\[\[\s*workspace\s*(?:\.\s*(\w+)\s*)?\]\]\s*")
OTHER_TABLE = re.compile(r"\s*\[+\s*([\w-]+)[^=,]*\]\s*")
KEY = re.compile(r"\s*([\w-]+)\s*[.=]")


class LinedTable(msgspec.Struct):
    """A table's line, those of its keys, and its ``[[workspace.…]]`` tables by name. Lines count from 1."""

    line: int
    keys: dict[str, int] = {}
    parts: dict[str, list[LinedTable]] = {}


class TomlLines:
    """The lines of a workspace file's tables."""

    def __init__(self, text: str) -> None:
        self._workspaces: list[LinedTable] = []
        self._other = LinedTable(1)  # what is not a workspace's
        current = self._other
        # Not splitlines(), which breaks lines at characters that TOML does not.
        for number, line in enumerate(STRING_OR_COMMENT.sub(_blank, text).split("\n"), start=1):
            if table := TABLE.fullmatch(line):
                current = self._opened(table[1], number)
            elif other := OTHER_TABLE.fullmatch(line):
                self._other.keys.setdefault(other[1], number)
                current = LinedTable(number)
            elif key := KEY.match(line):
                current.keys.setdefault(key[1], number)

    def _opened(self, part: str | None, number: int) -> LinedTable:
        table = LinedTable(number)
        if part is None:
            self._workspaces.append(table)
        elif self._workspaces:
            self._workspaces[-1].parts.setdefault(part, []).append(table)
        return table

    def of_workspace(self, position: int, path: Path) -> int | None:
        """Return the line of a place in the workspace at this position, from 0; None if it cannot be told."""
        if position >= len(self._workspaces):
            return None
        table = self._workspaces[position]
        part, row, key = (*path, None, None, None)[:3]
        rows = table.parts.get(str(part), [])
        if isinstance(row, int) and row < len(rows):
            return rows[row].keys.get(str(key), rows[row].line)
        return table.keys.get(str(part), rows[0].line if rows else table.line)

    def of_other(self, key: str) -> int | None:
        """Return the line of a table or key at the top of the file."""
        return self._other.keys.get(key)


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")
