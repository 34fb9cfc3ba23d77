"""The one way to print: tables for people, JSON lines and CSV for programs.

All three are made so that what strangers wrote on Reddit cannot harm who reads it: control characters, terminal
escapes and marks that turn the direction of text are removed (in JSON escaped, so that nothing is lost), rich's markup
is shown as it stands, and a CSV cell that a spreadsheet would take for a formula gets an apostrophe in front.

Where the output is not UTF-8, JSON and TOML escape what is beyond ASCII, and the rest is written as near as can be.
"""

from __future__ import annotations

import codecs
import csv
import io
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import click
import msgspec
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from overheard.channels.rendering.sanitize import clean
from overheard.cli.durations import rfc3339
from overheard.invisible_characters import json_escaped

Format = Literal["table", "json", "csv"]
Record = Mapping[str, Any]  # what JSON and CSV say of one row, in their order

WIDE = 10_000  # columns: a pipe has no width, and a row is one line there
FORMULA = "=+-@"  # OWASP, "CSV injection"; in any width, and behind what is not seen
LINE_BEGINS = ("\t", "\r", "\n")

format_option = click.option(
    "--format",
    "format",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="For people, as JSON (one object a line) or as CSV (with a header).",
)


class Column(NamedTuple):
    """A column for people: its title, and its cell of a record."""

    title: str
    cell: Callable[[Any], str | Text]
    options: Mapping[str, Any] = {}  # of rich's ``Table.add_column``


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # dealt with for all commands in one place


def console(*, stderr: bool = False) -> Console:
    """A console on what is stdout (or stderr) now; colours on terminals only, and not when NO_COLOR is set."""
    file = sys.stderr if stderr else sys.stdout
    made = _Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not made.is_terminal:
        made.width = WIDE
    return made


def line(*parts: str | Text | tuple[str, str], stderr: bool = False) -> None:
    """One line for people; a part is a text or (text, style)."""
    console(stderr=stderr).print(Text.assemble(*parts), soft_wrap=True)


def complain(message: str) -> None:
    """A fault, on stderr; further lines are indented."""
    first, *rest = clean(message).split("\n")
    line(("overheard: ", "bold red"), first, stderr=True)
    for more in rest:
        line("  ", more, stderr=True)


def flat(text: str | None) -> str:
    """A stranger's text as one harmless line."""
    return " ".join(clean(text or "").split())


def show(
    records: Iterable[Any],
    columns: Iterable[Column],
    format: Format,
    *,
    keys: Sequence[str],
    empty: str,
    gap: bool = False,
) -> None:
    """Print a listing of structs. ``keys`` are their attributes that JSON and CSV show, in that order.

    For people: ``empty`` is what they read when there is nothing; ``gap`` leaves a line free between tall rows.
    """
    if format == "json":
        for each in records:
            print_json(chosen(each, keys))
    elif format == "csv":
        print_csv((chosen(each, keys) for each in records), keys)
    elif rows := list(records):
        print_table(table(rows, columns, gap=gap))
    else:
        line((empty, "dim"))


def chosen(record: Any, keys: Sequence[str]) -> dict[str, Any]:
    """What JSON and CSV show of a struct. Attributes that end in ``_at`` are times."""
    values = {key: getattr(record, key) for key in keys}
    return {
        key: rfc3339(value) if key.endswith("_at") and not isinstance(value, str) else value
        for key, value in values.items()
    }


def table(rows: Iterable[Any], columns: Iterable[Column], *, header: bool = True, gap: bool = False) -> Table:
    """The rows as people read them."""
    columns = tuple(columns)
    below = 1 if gap and console().is_terminal else 0
    made = Table(box=None, header_style="dim", show_header=header, pad_edge=False, padding=(0, 3, below, 0))
    for column in columns:
        made.add_column(column.title, **column.options)
    for row in rows:
        made.add_row(*(column.cell(row) for column in columns))
    return made


def facts(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Return names and values, below each other."""
    columns = (Column("", lambda fact: fact[0], {"style": "dim"}), Column("", lambda fact: fact[1]))
    return table(rows, columns, header=False)


def hint(text: str, indent: int) -> None:
    """What to do about it, below what it is about."""
    for each in clean(text).splitlines():
        print_table(Padding(Text(each, style="dim"), (0, 0, 0, indent)))


def print_table(made: RenderableType) -> None:
    """A table, without the blanks that fill its lines up."""
    out = console()
    with out.capture() as capture:
        out.print(made)
    _write("".join(f"{each.rstrip()}\n" for each in capture.get().splitlines()))


def print_json(value: Any) -> None:
    """One object on a line of its own, at once: who reads may be waiting for it."""
    _write(json_escaped(msgspec.json.encode(value).decode(), ascii_only=not is_utf8()) + "\n")


def print_csv(records: Iterable[Record], keys: Sequence[str], *, header: bool = True) -> None:
    """CSV (RFC 4180), each record at once."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if header:
        writer.writerow(keys)
    for each in records:
        writer.writerow(_cell(each[key]) for key in keys)
        _write(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()
    _write(buffer.getvalue())


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        plain = all(isinstance(part, str) for part in value)
        value = "; ".join(value) if plain else msgspec.json.encode(value).decode()
    text = clean(value)
    return f"'{text}" if text.startswith(LINE_BEGINS) or _first_seen(text) in FORMULA else text


def _first_seen(text: str) -> str:
    """Return the first character that is neither space nor mark nor unseen, in its plain form; a space for none."""
    seen = (char for char in text if unicodedata.category(char)[0] not in "CMZ")
    return unicodedata.normalize("NFKC", next(seen, " "))


def is_utf8() -> bool:
    """Return whether all that there is can be written to stdout as it is."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name.startswith("utf")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
