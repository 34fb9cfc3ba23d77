"""``overheard query explain``: how a query is read. Needs no configuration and no database."""

from __future__ import annotations

from typing import Literal

import click
import msgspec

from overheard.cli import output
from overheard.cli.arguments import as_unicode
from overheard.cli.output import one_line, print_line
from overheard.cli.root import WrongUsage
from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse
from overheard.operations.query_explanation import QueryExplanation, explain
from overheard.operations.query_outline import outline

INDENT = "  "
COSTS = {
    "low": "low: few items need a closer look",
    "medium": "medium: many items need a closer look, or some with a regular expression",
    "high": "high: all or most items need a closer look",
}


@click.command("explain", short_help="Explain how QUERY is read, and what it costs.")
@click.argument("query", callback=as_unicode)
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain_(query: str, format: Literal["text", "json"]) -> None:
    """Explain how QUERY is read, under which words it is looked up, what it costs, and what may not be meant.

    An item is compared with a query only if it contains one of the words (or parts of words) that it is filed under.
    """
    try:
        parsed = parse(query)
    except QuerySyntaxError as error:
        raise WrongUsage(str(error)) from None
    explanation = explain(query, parsed)
    if format == "json":
        output.print_json(msgspec.structs.asdict(explanation))
    else:
        _print(parsed, explanation)


def _print(query: ParsedQuery, explanation: QueryExplanation) -> None:
    for depth, text in outline(query):
        print_line(INDENT * depth, one_line(text))
    print_line()
    print_line(("Filed under: ", "dim"), one_line(", ".join(explanation.anchors)))
    print_line(("Cost: ", "dim"), COSTS[explanation.cost])
    for warning in explanation.warnings:
        print_line(("! ", "yellow"), one_line(warning))
