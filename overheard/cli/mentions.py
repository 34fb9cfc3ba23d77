"""``overheard mentions``: what was found, oldest first as in a log, so that the newest stands where the eye is."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

import click
from rich.style import Style
from rich.text import Text

from overheard.cli import output
from overheard.cli.context import open_app
from overheard.cli.durations import Since, seconds_of
from overheard.cli.highlight import marked
from overheard.cli.output import Column, Format, flat, format_option
from overheard.clock import system_clock
from overheard.db import workspaces
from overheard.notices import PublicMention
from overheard.operations.tail import Arrivals, all_of, newest_of
from overheard.operations.wording import ago
from overheard.sources.registry import author_label, place_label

REDDIT = "https://www.reddit.com"
SHOWN = 50  # in a table, unless --limit says otherwise
KEYS = PublicMention.__struct_fields__


@click.command
@click.option("--workspace", "-w", metavar="SLUG", help="Only this workspace's.")
@click.option("--since", type=Since(), help="Stored since then: 30m, 2h, 7d, 2026-11-01 or 2026-11-01T09:00:00Z.")
@click.option(
    "--limit", "-n", type=click.IntRange(min=0), help="Only the newest N.  [default: 50 in a table, else all]"
)
@click.option("--follow", "-f", is_flag=True, help="Then wait, and show new ones as they are stored, until Ctrl-C.")
@format_option
@click.pass_context
def mentions(
    context: click.Context, workspace: str | None, since: float | None, limit: int | None, follow: bool, format: Format
) -> None:
    """List what was found, oldest first.

    JSON is one object a line, the same as a webhook's mention; highlights are [field, start, end] in characters.
    """
    with open_app(context) as program:
        db = program.db
        if workspace is not None:
            workspaces.by_name(db, workspace)
        if limit is None and format == "table":
            limit = SHOWN
        arrivals = Arrivals(db, workspace)
        listing = all_of(db, workspace, since) if limit is None else newest_of(db, workspace, since, limit)
        columns = _columns(follow)
        empty = "Nothing yet; new mentions appear here." if follow else "No mentions."
        output.show(arrivals.noted(listing), columns, format, keys=KEYS, empty=empty, gap=True)
        if follow:
            for mention in arrivals:
                _print(mention, columns, format)


def _print(mention: PublicMention, columns: tuple[Column, ...], format: Format) -> None:
    if format == "json":
        output.print_json(mention)
    elif format == "csv":
        output.print_csv([output.chosen(mention, KEYS)], KEYS, header=False)
    else:
        if output.console().is_terminal:
            output.line()
        output.print_table(output.table([mention], columns, header=False))


def _columns(follow: bool) -> tuple[Column, ...]:
    if not output.console().is_terminal:
        return PLAIN
    when = Column("Stored", _at if follow else _age, {"width": 12, "overflow": "ellipsis", "no_wrap": True})
    return (when, *ROWS)


def _age(mention: PublicMention) -> Text:
    return Text.assemble(ago(seconds_of(mention.stored_at), system_clock()), "\n", (mention.workspace, "dim"))


def _at(mention: PublicMention) -> Text:
    moment = datetime.fromtimestamp(seconds_of(mention.stored_at)).astimezone()
    return Text.assemble(moment.strftime("%H:%M:%S"), "\n", (mention.workspace, "dim"))


def _where(mention: PublicMention) -> Text:
    return Text.assemble((flat(place_label(mention.source, mention.place)), "cyan"), "\n", (_author(mention), "dim"))


def _author(mention: PublicMention) -> str:
    return flat(author_label(mention.source, mention.author))


def _what(mention: PublicMention) -> Text:
    """The title, a link on terminals that know links; the words around what was found; the queries that found it."""
    title = _title(mention)
    title.stylize(Style(bold=True, link=address(mention)))
    return Text("\n").join(part for part in (title, _said(mention), Text(_names(mention), "green")) if part.plain)


def _plain_what(mention: PublicMention) -> Text:
    return Text(" | ").join(part for part in (_title(mention), _said(mention)) if part.plain)


def _title(mention: PublicMention) -> Text:
    return marked(mention.title, mention.highlights, "title", 300)


def _said(mention: PublicMention) -> Text:
    """Of the body, only what was found in it: the title says the rest."""
    found = any(field == "body" for field, _, _ in mention.highlights)
    return marked(mention.body, mention.highlights, "body", 160) if found else Text()


def address(mention: PublicMention) -> str:
    """Return where to read it; nothing in it ends a terminal's link early."""
    link = mention.permalink
    return quote(f"{REDDIT}{link}" if link.startswith("/") else link, safe="/%?=&:#+,;@!$'()*[]~")


def _names(mention: PublicMention) -> str:
    return ", ".join(map(flat, mention.queries))


ROWS = (
    Column("Where", _where, {"width": 20, "no_wrap": True, "overflow": "ellipsis"}),
    Column("What", _what, {"ratio": 1}),
)
# One line each, for grep and awk; programs are better off with JSON.
PLAIN = (
    Column("Stored", lambda mention: mention.stored_at),
    Column("Workspace", lambda mention: mention.workspace),
    Column("Queries", _names),
    Column("Where", lambda mention: flat(place_label(mention.source, mention.place))),
    Column("Who", _author),
    Column("Address", address),
    Column("What", _plain_what),
)
