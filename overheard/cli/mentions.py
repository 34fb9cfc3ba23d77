"""``overheard mentions``: list mentions, oldest first as in a log, so that the newest is next to the prompt."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import click
from rich.style import Style
from rich.text import Text

from overheard.cli import output
from overheard.cli.arguments import as_unicode
from overheard.cli.context import running_process
from overheard.cli.durations import PastTime, seconds_of
from overheard.cli.highlight import highlighted_excerpt
from overheard.cli.output import Column, Format, format_option, one_line
from overheard.cli.root import WrongUsage
from overheard.clock import system_clock
from overheard.db.delivery_history import DELIVERY_STATES
from overheard.db.mention_filter import BACKFILLED, MentionFilter
from overheard.errors import InvalidInput
from overheard.notices import PublicMention
from overheard.operations.mention_filters import mention_filter
from overheard.operations.tail import MentionTail, all_mentions, newest_mentions
from overheard.operations.wording import ago
from overheard.sources.registry import byline, place_label, watchable

REDDIT = "https://www.reddit.com"
TABLE_ROWS = 50  # without --limit
KEYS = PublicMention.__struct_fields__
STATES = (*DELIVERY_STATES, BACKFILLED)


@click.command
@click.option("--workspace", "-w", metavar="SLUG", help="Only mentions of this workspace.")
@click.option(
    "--since", type=PastTime(), help="Only mentions stored since: 30m, 2h, 7d, 2026-11-01, 2026-11-01T09:00:00Z."
)
@click.option("--query", "-q", metavar="NAME", help="Only mentions that this query has found.")
@click.option("--source", "-s", type=click.Choice(watchable()), help="Only mentions from this source.")
@click.option("--place", metavar="PLACE", callback=as_unicode, help="Only mentions from this place, such as r/python.")
@click.option(
    "--state",
    type=click.Choice(STATES),
    help="Only mentions with a delivery in this state; those that are backfilled have none.",
)
@click.option(
    "--search", metavar="TEXT", callback=as_unicode, help="Only with this text in title, body or author, in any case."
)
@click.option("--limit", "-n", type=click.IntRange(min=0), help="Only the newest.  [default: 50 in a table, else all]")
@click.option("--follow", "-f", is_flag=True, help="Then follow: show new mentions as they are stored. Ctrl-C stops.")
@format_option
@click.pass_context
def mentions(context: click.Context, /, limit: int | None, follow: bool, format: Format, **wanted: Any) -> None:
    """List mentions, oldest first.

    JSON has one object per line, the same as in a webhook; highlights are [field, start, end], in characters.
    """
    with running_process(context) as running:
        db = running.db
        try:
            which = mention_filter(db, **wanted)
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
        # Only tables are cut: a program would take a default limit for the whole list.
        cut = limit is None and format == "table"
        # Before the listing is read: what is stored in between must be in one of the two.
        tail = MentionTail(db, which)
        if cut:
            newest = list(newest_mentions(db, which, TABLE_ROWS + 1))
            cut, listing = len(newest) > TABLE_ROWS, iter(newest[-TABLE_ROWS:])
        else:
            listing = all_mentions(db, which) if limit is None else newest_mentions(db, which, limit)
        columns = _columns(follow)
        some = which != MentionFilter(which.workspace)
        none = "No matching mentions" if some else "No mentions"
        empty = f"{none} yet; new ones appear here." if follow else f"{none}."
        output.print_listing(tail.remember(listing), columns, format, keys=KEYS, empty=empty, gap=True)
        if cut:
            output.print_line((output.OLDER, "dim"), stderr=True)
        if follow:
            for mention in tail:
                _print(mention, columns, format)


def _print(mention: PublicMention, columns: tuple[Column, ...], format: Format) -> None:
    if format == "json":
        output.print_json(mention)
    elif format == "csv":
        output.print_csv([output.as_record(mention, KEYS)], KEYS, header=False)
    else:
        if output.console().is_terminal:
            output.print_line()
        output.print_table(output.table([mention], columns, header=False))


def _columns(follow: bool) -> tuple[Column, ...]:
    if not output.console().is_terminal:
        return PIPED_COLUMNS
    when = Column(
        "Stored", _stored_at if follow else _stored_ago, {"width": 12, "overflow": "ellipsis", "no_wrap": True}
    )
    return (when, *TERMINAL_COLUMNS)


def _stored_ago(mention: PublicMention) -> Text:
    return Text.assemble(ago(seconds_of(mention.stored_at), system_clock()), "\n", (mention.workspace, "dim"))


def _stored_at(mention: PublicMention) -> Text:
    moment = datetime.fromtimestamp(seconds_of(mention.stored_at)).astimezone()
    return Text.assemble(moment.strftime("%H:%M:%S"), "\n", (mention.workspace, "dim"))


def _where(mention: PublicMention) -> Text:
    return Text.assemble(
        (one_line(place_label(mention.source, mention.place)), "cyan"), "\n", (_author(mention), "dim")
    )


def _author(mention: PublicMention) -> str:
    return one_line(byline(mention.source, mention.author))


def _summary(mention: PublicMention) -> Text:
    """Return the title (a hyperlink, if the terminal supports it), an excerpt of the body, and the matching queries."""
    title = _title(mention)
    title.stylize(Style(bold=True, link=link(mention)))
    return Text("\n").join(
        part for part in (title, _body_excerpt(mention), Text(_names(mention), "green")) if part.plain
    )


def _piped_summary(mention: PublicMention) -> Text:
    return Text(" | ").join(part for part in (_title(mention), _body_excerpt(mention)) if part.plain)


def _title(mention: PublicMention) -> Text:
    return highlighted_excerpt(mention.title, mention.shown_highlights, "title", 300)


def _body_excerpt(mention: PublicMention) -> Text:
    """Return an excerpt around a match beside the title; empty if only that matches."""
    field = mention.excerpt_field
    if not any(name == field for name, _, _ in mention.shown_highlights):
        return Text()
    return highlighted_excerpt(mention.text_of(field), mention.shown_highlights, field, 160)


def link(mention: PublicMention) -> str:
    """Return the item's URL, percent-encoded: a control character in it would end the terminal's hyperlink early."""
    permalink = mention.permalink
    return quote(f"{REDDIT}{permalink}" if permalink.startswith("/") else permalink, safe="/%?=&:#+,;@!$'()*[]~")


def _names(mention: PublicMention) -> str:
    return ", ".join(map(one_line, mention.queries))


TERMINAL_COLUMNS = (
    Column("Where", _where, {"width": 20, "no_wrap": True, "overflow": "ellipsis"}),
    Column("What", _summary, {"ratio": 1}),
)
# One line per mention, for grep and awk; programs should use JSON.
PIPED_COLUMNS = (
    Column("Stored", lambda mention: mention.stored_at),
    Column("Workspace", lambda mention: mention.workspace),
    Column("Queries", _names),
    Column("Where", lambda mention: one_line(place_label(mention.source, mention.place))),
    Column("Who", _author),
    Column("Address", link),
    Column("What", _piped_summary),
)
