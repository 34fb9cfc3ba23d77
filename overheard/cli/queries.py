"""``overheard query test``: try a query before using it. Needs no configuration and no database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

import click
from rich.text import Text

from overheard.cli import output
from overheard.cli.arguments import as_unicode
from overheard.cli.context import open_named_input
from overheard.cli.highlight import highlighted_excerpt
from overheard.cli.output import Column, Format, format_option, one_line, print_line
from overheard.cli.query_apply import apply
from overheard.cli.query_changes import add, edit, remove, rename
from overheard.cli.query_explain import explain_
from overheard.cli.query_health import health
from overheard.cli.query_help import help
from overheard.cli.query_sample import print_sample
from overheard.cli.query_suggest import suggest
from overheard.cli.root import WrongUsage
from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse
from overheard.operations.jsonl import MAX_COMPLAINTS, TEXT_KEY, LineTally, MatchedLine, match_text, matching_lines
from overheard.operations.query_outline import needs_more_than_a_body
from overheard.sources.jsonl_files import NotAnItemFile, open_decompressed
from overheard.sources.registry import place_label, watchable

TABLE_ROWS = 50
EXCERPT_CHARS = 160  # around the first match
NOT_A_BODY = "TEXT is the body of a comment. To test fields, places and the like, use --file (see --help)."


@click.group
def query() -> None:
    """Write and test queries. The language, by example: overheard query help."""


query.add_command(apply)
query.add_command(add)
query.add_command(edit)
query.add_command(rename)
query.add_command(remove)
query.add_command(health)
query.add_command(explain_)
query.add_command(help)
query.add_command(suggest)


@query.command(short_help="Test QUERY on a text, a file, or a sample of recent items.")
@click.argument("query", callback=as_unicode)
@click.option("--text", callback=as_unicode, help="Match this text.")
@click.option(
    "--file",
    "path",
    type=click.Path(allow_dash=True, dir_okay=False),
    metavar="FILE",
    help="Match the items in this file.",
)
@click.option("--sample", is_flag=True, help="Match recent items of the places that WORKSPACE watches.")
@click.option("--workspace", "-w", metavar="WORKSPACE", help="Whose places; with --sample.")
@format_option
@click.pass_context
def test(
    context: click.Context,
    /,
    query: str,
    text: str | None,
    path: str | None,
    sample: bool,
    workspace: str | None,
    format: Format,
) -> None:
    """Test QUERY on a text, a file or a sample of recent items, or whether it is valid at all.

    FILE has one JSON object per line, with a title and selftext (or body), or only a body for a comment; and if they
    are known, source, kind (post or comment), subreddit (or place), author, url, thread_title, link_flair_text, lang,
    over_18 and is_self (true or false), and texts (an object with a caption, poll or crosspost). It may be gzipped; -
    is stdin. TEXT is the body of a comment.

    With --format json, each matching object is printed unchanged, with two more keys: "line" (from 1) and "highlights"
    ([key, start, end], in characters). Unreadable lines are reported on stderr and make the exit code 1. It is 2 if
    FILE is not a file of items at all.
    """
    if (text is not None) + (path is not None) + sample > 1:
        raise click.UsageError("--text, --file and --sample cannot be used together")
    if sample is not (workspace is not None):
        raise click.UsageError("--sample and --workspace go together: --sample -w WORKSPACE")
    try:
        parsed = parse(query)
    except QuerySyntaxError as error:
        raise WrongUsage(str(error)) from None
    if workspace is not None:
        return print_sample(context, parsed, workspace, format)
    if path is not None:
        sys.exit(_file(parsed, path, format))
    if text is not None:
        _text(parsed, text, format)
    elif format == "table":
        print_line(("✓ ", "green"), "Valid query, parsed as: ", (one_line(str(parsed)), "bold"))
    else:
        output.print_listing([SimpleNamespace(query=str(parsed))], (), format, keys=("query",), empty="")


def _text(query: ParsedQuery, text: str, format: Format) -> None:
    hit = match_text(query, text)
    if format != "table":
        _print(iter([hit] if hit else []), format)
    elif hit:
        print_line(("✓ ", "green"), highlighted_excerpt(text, hit.highlights, TEXT_KEY, EXCERPT_CHARS))
    else:
        print_line(("✗ ", "red"), "No match.")
        if needs_more_than_a_body(query):
            print_line((NOT_A_BODY, "dim"), stderr=True)


def _file(query: ParsedQuery, path: str, format: Format) -> int:
    tally = LineTally()
    try:
        with open_named_input(path) as raw:
            _print(matching_lines(query, open_decompressed(raw), tally, output.print_error), format)
    except NotAnItemFile as error:
        raise WrongUsage(f"{'stdin' if path == '-' else path}: {error}") from None
    if tally.unreadable > MAX_COMPLAINTS:
        print_line(f"… and {tally.unreadable - MAX_COMPLAINTS:,} more unreadable lines", stderr=True)
    unreadable = f"; {tally.unreadable:,} unreadable" if tally.unreadable else ""
    lines = "line matches" if tally.lines == 1 else "lines match"
    # On stderr: stdout has nothing but matches, so that it can be piped.
    print_line(f"{tally.matched:,} of {tally.lines:,} {lines}{unreadable}", stderr=True)
    return 1 if tally.unreadable else 0


def _print(matched: Iterator[MatchedLine], format: Format) -> None:
    if format == "json":
        for hit in matched:
            output.print_json({**hit.given, "line": hit.line, "highlights": hit.highlights})
    elif format == "csv":
        output.print_csv(map(_row, matched), ("line", "subreddit", "found", "text"))
    else:
        _print_table(matched)


def _row(hit: MatchedLine) -> dict[str, Any]:
    words = dict.fromkeys(hit.texts[field][start:end] for field, start, end in hit.highlights)
    text = "\n".join(hit.texts.values())
    return {"line": hit.line, "subreddit": hit.subreddit, "found": list(words), "text": text}


def _print_table(matched: Iterator[MatchedLine]) -> None:
    if shown := list(islice(matched, TABLE_ROWS)):
        output.print_table(output.table(shown, COLUMNS))
    # Read to the end, because the tally at the bottom counts all lines.
    if more := sum(1 for _ in matched):
        print_line((f"… and {more:,} more; use --format json to print all", "dim"), stderr=True)


def _where(hit: MatchedLine) -> str:
    # A file may name a source that does not exist.
    return one_line(place_label(hit.source, hit.place) if hit.source in watchable() else hit.place or hit.source)


def _what(hit: MatchedLine) -> Text:
    # A query of places or authors alone has nothing to highlight.
    keys = dict.fromkeys(key for key, _, _ in hit.highlights) or list(hit.texts)[:1]
    texts = [
        highlighted_excerpt(text, hit.highlights, key, EXCERPT_CHARS) for key, text in hit.texts.items() if key in keys
    ]
    return Text("\n" if output.console().is_terminal else " | ").join(texts)


COLUMNS = (
    Column("Line", lambda hit: f"{hit.line:,}", {"justify": "right", "style": "dim"}),
    Column("Where", _where, {"style": "cyan"}),
    Column("What", _what, {"ratio": 1}),
)
