"""Print tables for people, JSON lines and CSV for programs. All output goes through here.

Text from Reddit is untrusted: control characters, terminal escapes and marks that change the direction of text are
removed (in JSON: escaped, so that nothing is lost), rich's markup is printed literally, and a CSV cell that a
spreadsheet would take for a formula gets an apostrophe in front.

If stdout is not UTF-8, JSON and TOML escape all non-ASCII characters; other output falls back to similar ones.
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
Record = Mapping[str, Any]  # one row of JSON or CSV; the order of its keys is that of the output

PIPE_WIDTH_COLUMNS = 10_000  # a pipe has no width: one line per row, for grep
FORMULA_PREFIXES = "=+-@"  # OWASP, "CSV injection"; also full-width, and behind invisible characters
LINE_BREAK_PREFIXES = ("\t", "\r", "\n")

format_option = click.option(
    "--format",
    "format",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="JSON: one object per line; CSV: with a header.",
)


class Column(NamedTuple):
    """A table column: its title, and the function that makes a cell of a record."""

    title: str
    cell: Callable[[Any], str | Text]
    options: Mapping[str, Any] = {}  # for rich's ``Table.add_column``


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would exit with 1: ``LazyGroup.invoke`` handles it for all commands


def console(*, stderr: bool = False) -> Console:
    """Return a console on the current stdout or stderr; with colours only on a terminal, and without NO_COLOR."""
    file = sys.stderr if stderr else sys.stdout
    result = _Console(file=file, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not result.is_terminal:
        result.width = PIPE_WIDTH_COLUMNS
    return result


def print_line(*parts: str | Text | tuple[str, str], stderr: bool = False) -> None:
    """Print one line of parts: text or (text, style)."""
    console(stderr=stderr).print(Text.assemble(*parts), soft_wrap=True)


def print_error(message: str) -> None:
    """Print an error on stderr; further lines are indented."""
    first, *rest = clean(message).split("\n")
    print_line(("overheard: ", "bold red"), first, stderr=True)
    for more in rest:
        print_line("  ", more, stderr=True)


def one_line(text: str | None) -> str:
    """Return untrusted text as one line, without control characters."""
    return " ".join(clean(text or "").split())


OLDER = "… and older ones; use --limit to show more"  # below a table that was cut


def print_listing(
    records: Iterable[Any],
    columns: Iterable[Column],
    format: Format,
    *,
    keys: Sequence[str],
    empty: str,
    gap: bool = False,
) -> None:
    """Print a listing of structs. ``keys`` are the attributes to print as JSON and CSV, in order.

    In a table, ``empty`` is printed if there are no records, and ``gap`` separates rows by a blank line.
    """
    if format == "json":
        for record in records:
            print_json(as_record(record, keys))
    elif format == "csv":
        print_csv((as_record(record, keys) for record in records), keys)
    elif rows := list(records):
        print_table(table(rows, columns, gap=gap))
    else:
        print_line((empty, "dim"))


def as_record(record: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Return a struct as JSON and CSV print it. Attributes that are called ``at``, or end in ``_at``, are times."""
    values = {key: getattr(record, key) for key in keys}
    return {
        # The structs of the public contract have their times as text already.
        key: rfc3339(value) if f"_{key}".endswith("_at") and not isinstance(value, str) else value
        for key, value in values.items()
    }


def table(rows: Iterable[Any], columns: Iterable[Column], *, header: bool = True, gap: bool = False) -> Table:
    """Return a table without borders."""
    columns = tuple(columns)
    # A terminal has as little as 80 columns, a pipe has no limit: there, three blanks tell columns from words.
    right, below = (2, int(gap)) if console().is_terminal else (3, 0)
    result = Table(box=None, header_style="dim", show_header=header, pad_edge=False, padding=(0, right, below, 0))
    for column in columns:
        result.add_column(column.title, **column.options)
    for row in rows:
        result.add_row(*(column.cell(row) for column in columns))
    return result


def facts_table(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Return a table of names and values, one pair per line."""
    columns = (Column("", lambda fact: fact[0], {"style": "dim"}), Column("", lambda fact: fact[1]))
    return table(rows, columns, header=False)


def print_hint(text: str, indent: int) -> None:
    """Print a remedy, indented below its problem."""
    for line in clean(text).splitlines():
        print_table(Padding(Text(line, style="dim"), (0, 0, 0, indent)))


def print_table(renderable: RenderableType) -> None:
    """Print a table without trailing blanks."""
    # rich pads every line to the table's width, which makes copied and grepped lines unwieldy, and has no option.
    target = console()
    with target.capture() as capture:
        target.print(renderable)
    _write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def print_json(value: Any) -> None:
    """Print one object on one line, and flush: a reader may be waiting for it (`--follow`)."""
    _write(json_escaped(msgspec.json.encode(value).decode(), ascii_only=not is_utf8()) + "\n")


def print_csv(records: Iterable[Record], keys: Sequence[str], *, header: bool = True) -> None:
    """Print CSV (RFC 4180), flushing after each record."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if header:
        writer.writerow(keys)
    for record in records:
        writer.writerow(_cell(record[key]) for key in keys)
        _write(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()
    _write(buffer.getvalue())


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        # As in JSON, so that a program can read both alike; Python would write True.
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        is_text_list = all(isinstance(part, str) for part in value)
        value = "; ".join(value) if is_text_list else msgspec.json.encode(value).decode()
    text = clean(value)
    return f"'{text}" if text.startswith(LINE_BREAK_PREFIXES) or _first_visible(text) in FORMULA_PREFIXES else text


def _first_visible(text: str) -> str:
    """Return the first visible character in its normal width, without spaces and marks; a space if there is none."""
    visible = (char for char in text if unicodedata.category(char)[0] not in "CMZ")
    return unicodedata.normalize("NFKC", next(visible, " "))


def is_utf8() -> bool:
    """Return True if stdout can encode any text."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name.startswith("utf")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
