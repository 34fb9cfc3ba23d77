"""``overheard query suggest``: a few good queries for a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import click
import msgspec

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.output import one_line, print_line
from overheard.cli.query_sample import about
from overheard.cli.root import WrongUsage
from overheard.db import workspaces
from overheard.errors import InvalidInput
from overheard.invisible_characters import toml_escaped
from overheard.matching.language import parse
from overheard.operations.query_estimates import Estimate, estimates_of
from overheard.operations.query_suggestions import SuggestedQuery, suggestions


@click.command
@click.argument("name")
@click.option("--domain", metavar="HOST", help="Its web site: acme.com.")
@click.option(
    "--competitor", "competitors", multiple=True, metavar="NAME", help="What it is compared with. Repeatable."
)
@click.option("--workspace", "-w", metavar="WORKSPACE", help="Estimate how much each finds in what this one watches.")
@click.option("--format", type=click.Choice(["text", "json", "toml"]), default="text", show_default=True)
@click.pass_context
def suggest(
    context: click.Context,
    name: str,
    domain: str | None,
    competitors: tuple[str, ...],
    workspace: str | None,
    format: Literal["text", "json", "toml"],
) -> None:
    """Suggest queries for NAME, such as that of a product or a company.

    --format toml prints what can be pasted into a workspace file, below the workspace's own keys.

    \b
      overheard query suggest 'Acme DB' --domain acme.com --competitor Bolt
    """
    try:
        suggested = suggestions(name, domain, competitors)
    except InvalidInput as error:
        raise WrongUsage(str(error)) from None
    expected = {} if workspace is None else _estimates(context, workspace, suggested)
    if format == "json":
        for query in suggested:
            estimate = expected.get(query.name)
            per_day = {} if workspace is None else {"per_day": estimate and round(estimate.per_day, 1)}
            output.print_json(msgspec.structs.asdict(query) | per_day)
    elif format == "toml":
        _print_toml(suggested)
    else:
        for query in suggested:
            # Not a table: its cells would break a query into lines, which cannot be copied.
            estimate = expected.get(query.name)
            finds = f"; about {about(estimate.per_day)} a day" if estimate else ""
            print_line((f"{query.name}: ", "cyan"), (f"{query.why}{finds}", "dim"))
            print_line("  ", (one_line(query.text), "bold"))


def _estimates(context: click.Context, workspace: str, suggested: Sequence[SuggestedQuery]) -> dict[str, Estimate]:
    """Return by name what the sample has for the queries; nothing if it lacks what the workspace watches."""
    with running_process(context) as running:
        owner = workspaces.by_name(running.db, workspace).id
        trees = [(number, owner, parse(query.text)) for number, query in enumerate(suggested)]
        found = estimates_of(running.db, trees, now=running.clock(), seconds=running.config.sample.seconds)
    return {suggested[number].name: estimate for number, estimate in found.items()}


def _print_toml(suggested: Sequence[SuggestedQuery]) -> None:
    for number, query in enumerate(suggested):
        if number:
            print_line()
        print_line("  # ", query.why)
        print_line("  [[workspace.query]]")
        print_line("  name = ", _toml_string(query.name))
        print_line("  text = ", _toml_string(query.text))


def _toml_string(text: str) -> str:
    """Return a string as TOML: in single quotes, which leave phrases readable, if nothing has to be escaped."""
    plain = text.isascii() and text.isprintable() and "'" not in text
    return f"'{text}'" if plain else toml_escaped(msgspec.json.encode(text).decode(), ascii_only=not output.is_utf8())
