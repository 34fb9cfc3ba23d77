"""``overheard query test``: what a query finds, before anybody is told. Needs no configuration and no database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

import click
import msgspec
from rich.text import Text

from overheard.cli import output
from overheard.cli.context import named_input
from overheard.cli.group import WrongUsage
from overheard.cli.highlight import marked
from overheard.cli.output import Column, Format, flat, format_option, line
from overheard.matching.index import matches
from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse
from overheard.operations.jsonl import MAX_COMPLAINTS, LineTally, MatchedLine, matching
from overheard.sources.jsonl_files import NotAnItemFile, open_decompressed
from overheard.sources.registry import place_label

TABLE_ROWS = 50
EXCERPT_CHARS = 160  # around what was found


@click.group
def query() -> None:
    """Try queries."""


@query.command
@click.argument("query")
@click.option("--text", help="A text to hold it against.")
@click.option(
    "--file", "path", type=click.Path(allow_dash=True, dir_okay=False), metavar="FILE", help="Items to hold it against."
)
@format_option
def test(query: str, text: str | None, path: str | None, format: Format) -> None:
    """Say how QUERY is read, and what it finds in a text or in a file.

    FILE holds a JSON object a line, with a title and selftext, or a body; it may be gzipped; - is stdin. Each matching
    object is printed as it stood there, with two more keys: "line" (from 1) and "highlights" ([key, start, end] in
    characters). A line that cannot be read is complained of on stderr, and makes the exit code 1; a file that is
    something else altogether ends it with 2.
    """
    if text is not None and path is not None:
        raise click.UsageError("--text and --file cannot be used together")
    try:
        wanted = parse(query)
    except QuerySyntaxError as error:
        raise WrongUsage(str(error)) from None
    if path is not None:
        sys.exit(_file(wanted, path, format))
    if text is not None:
        _text(wanted, text, format)
    elif format == "table":
        line(("✓ ", "green"), "The query is right. It is read as: ", (flat(str(wanted)), "bold"))
    else:
        output.show([SimpleNamespace(query=str(wanted))], (), format, keys=("query",), empty="")


def _text(wanted: ParsedQuery, text: str, format: Format) -> None:
    text = text.encode("utf-8", "replace").decode()
    hit = matches(wanted, {"text": text})
    if format != "table":
        given = {"text": msgspec.Raw(msgspec.json.encode(text))}
        found = [MatchedLine(1, given, {"text": text}, hit.highlights)] if hit else []
        _print(iter(found), format)
    elif hit:
        line(("✓ ", "green"), marked(text, hit.highlights, "text", EXCERPT_CHARS))
    else:
        line(("✗ ", "red"), "It does not match.")


def _file(wanted: ParsedQuery, path: str, format: Format) -> int:
    tally = LineTally()
    try:
        with named_input(path) as raw:
            _print(matching(wanted, open_decompressed(raw), tally, output.complain), format)
    except NotAnItemFile as error:
        raise WrongUsage(f"{'stdin' if path == '-' else path}: {error}") from None
    if tally.bad > MAX_COMPLAINTS:
        line(f"… and {tally.bad - MAX_COMPLAINTS:,} more lines that cannot be read", stderr=True)
    skipped = f"; {tally.bad:,} could not be read" if tally.bad else ""
    lines = "line matches" if tally.lines == 1 else "lines match"
    line(f"{tally.matched:,} of {tally.lines:,} {lines}{skipped}", stderr=True)
    return 1 if tally.bad else 0


def _print(found: Iterator[MatchedLine], format: Format) -> None:
    if format == "json":
        for each in found:
            output.print_json({**each.given, "line": each.line, "highlights": each.highlights})
    elif format == "csv":
        output.print_csv(map(_row, found), ("line", "subreddit", "found", "text"))
    else:
        _print_table(found)


def _row(found: MatchedLine) -> dict[str, Any]:
    words = dict.fromkeys(found.texts[field][start:end] for field, start, end in found.highlights)
    text = "\n".join(found.texts.values())
    return {"line": found.line, "subreddit": found.subreddit, "found": list(words), "text": text}


def _print_table(found: Iterator[MatchedLine]) -> None:
    if shown := list(islice(found, TABLE_ROWS)):
        output.print_table(output.table(shown, COLUMNS))
    if more := sum(1 for _ in found):
        line((f"… and {more:,} more; --format json prints all", "dim"), stderr=True)


def _where(found: MatchedLine) -> str:
    return place_label("reddit", flat(found.subreddit)) if found.subreddit else ""


def _what(found: MatchedLine) -> Text:
    named = {field for field, _, _ in found.highlights}
    texts = [marked(text, found.highlights, key, EXCERPT_CHARS) for key, text in found.texts.items() if key in named]
    return Text("\n" if output.console().is_terminal else " | ").join(texts)


COLUMNS = (
    Column("Line", lambda found: f"{found.line:,}", {"justify": "right", "style": "dim"}),
    Column("Where", _where, {"style": "cyan"}),
    Column("What", _what, {"ratio": 1}),
)
