"""``overheard query test --sample``: what a query would find, from a sample of recent items."""

from __future__ import annotations

import click
import msgspec
from rich.text import Text

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.highlight import highlighted_excerpt
from overheard.cli.output import Column, Format, one_line, print_line
from overheard.matching.item.texts import all_texts_of, texts_of
from overheard.matching.language import ParsedQuery
from overheard.operations import query_preview
from overheard.operations.query_preview import NarrowerQuery, PlaceHits, Preview, SampleHit
from overheard.operations.wording import counted, span
from overheard.sources.registry import place_label, public_place

TABLE_ROWS = 20
PLACE_ROWS = 10
EXCERPT_CHARS = 160
WHOLE_DAY_HOURS = 23.0  # from here on, the sample is of a whole day
KEYS = ("sampled", "hits", "per_day", "by_place", "suggestions")


def print_sample(context: click.Context, query: ParsedQuery, workspace: str, format: Format) -> None:
    """Print what the query finds in the sample of the places that the workspace watches."""
    with running_process(context) as running:
        seconds = running.config.sample.seconds
        found = query_preview.preview(running.db, workspace, query, now=running.clock(), seconds=seconds)
    if format == "json":
        output.print_json(_as_json(found))
    elif format == "csv":
        output.print_csv(map(msgspec.structs.asdict, found.by_place), PlaceHits.__struct_fields__)
    else:
        _print(found)


def _as_json(found: Preview) -> dict[str, object]:
    return {key: getattr(found, key) for key in KEYS}


def _print(found: Preview) -> None:
    if not found.sampled:
        print_line(
            ("! ", "yellow"),
            "No recent items are stored yet of what the workspace watches. They are collected while Overheard runs.",
        )
        return
    if found.shown:
        output.print_table(output.table(found.shown[:TABLE_ROWS], HIT_COLUMNS))
        if (more := found.hits - len(found.shown[:TABLE_ROWS])) > 0:
            print_line((f"… and {more:,} more", "dim"))
        output.print_line()
    if len(found.by_place) > 1:
        output.print_table(output.table(found.by_place[:PLACE_ROWS], PLACE_COLUMNS))
        if (more := len(found.by_place) - PLACE_ROWS) > 0:
            print_line((f"… and {counted(more, 'place')} more", "dim"))
        output.print_line()
    among = f"among {counted(found.sampled, 'sampled item')}"
    if found.hits:
        print_line((f"About {about(found.per_day)} a day", "bold"), f": {counted(found.hits, 'hit')} {among}.")
    else:
        print_line(("No hits", "bold"), f" {among}: fewer than about {about(found.most_per_day)} a day.")
    if found.hours < WHOLE_DAY_HOURS:
        print_line((f"The sample covers only {span(found.hours * 3600)} so far: this is a rough estimate.", "dim"))
    if found.suggestions:
        print_line("To narrow it down:")
        output.print_table(output.table(found.suggestions, _change_columns(found.hits), header=False))


def about(rate: float) -> str:
    """Return a rate with two significant figures: it is an estimate."""
    return f"{float(f'{rate:.2g}'):,.0f}" if rate >= 10 else f"{rate:.1g}"


def _where(hit: SampleHit) -> str:
    item = hit.item
    return one_line(place_label(item.source, public_place(item.source, item.place)))


def _what(hit: SampleHit) -> Text:
    texts = {str(field): text for field, text in all_texts_of(hit.item).items()}
    fields = dict.fromkeys(field for field, _, _ in hit.highlights) or dict.fromkeys(map(str, texts_of(hit.item)))
    excerpts = [highlighted_excerpt(texts[field], hit.highlights, field, EXCERPT_CHARS) for field in fields]
    return Text("\n" if output.console().is_terminal else " | ").join(excerpts)


def _change_columns(hits: int) -> tuple[Column, ...]:
    def left(change: NarrowerQuery) -> str:
        return f"leaves {change.hits:,} of {hits:,}"

    return (
        Column("Query", lambda change: one_line(change.query), {"style": "bold"}),
        Column("Leaves", left),
    )


HIT_COLUMNS = (
    Column("Where", _where, {"style": "cyan"}),
    Column("What", _what, {"ratio": 1}),
)
PLACE_COLUMNS = (
    Column("Where", lambda place: one_line(place_label(place.source, place.place)), {"style": "cyan"}),
    Column("Hits", lambda place: f"{place.hits:,}", {"justify": "right"}),
    Column("Per day", lambda place: about(place.per_day), {"justify": "right"}),
)
