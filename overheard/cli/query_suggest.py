"""``overheard query suggest``: a few good queries for a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import click
import msgspec

from overheard.cli import output
from overheard.cli.arguments import as_unicode
from overheard.cli.context import running_process
from overheard.cli.output import one_line, print_line
from overheard.cli.query_sample import about
from overheard.cli.root import WrongUsage
from overheard.errors import DatabaseMissing, InvalidInput
from overheard.invisible_characters import toml_escaped
from overheard.operations.query_suggestions import SuggestedQuery, suggestions
from overheard.operations.suggestion_estimates import with_estimates


@click.command
@click.argument("name", callback=as_unicode)
@click.option("--domain", metavar="HOST", help="Its web site: acme.com.")
@click.option(
    "--competitor", "competitors", multiple=True, metavar="NAME", help="What it is compared with. Repeatable."
)
@click.option("--workspace", "-w", metavar="WORKSPACE", help="Estimate the hits in the places that it watches.")
@click.option("--format", type=click.Choice(["text", "json", "toml"]), default="text", show_default=True)
@click.pass_context
def suggest(
    context: click.Context,
    /,
    name: str,
    domain: str | None,
    competitors: tuple[str, ...],
    workspace: str | None,
    format: Literal["text", "json", "toml"],
) -> None:
    """Suggest queries for NAME, such as that of a product or a company.

    With --workspace, each has the number of hits that it would have in a day, estimated from a sample of recent items.
    --format toml prints what can be pasted into a workspace file, below the workspace's own keys.

    \b
      overheard query suggest 'Acme DB' --domain acme.com --competitor Bolt
    """
    try:
        suggested = suggestions(name, domain, competitors)
    except InvalidInput as error:
        raise WrongUsage(str(error)) from None
    note = "With -w WORKSPACE, the hits per day of each are estimated."
    if workspace is not None:
        suggested, note = _estimated(context, suggested, workspace)
    if format == "json":
        for query in suggested:
            output.print_json(msgspec.structs.asdict(query))
    elif format == "toml":
        _print_toml(suggested)
    else:
        _print(suggested)
    # On stderr: with --format json or toml, stdout is for a program or a file.
    if note and (format == "text" or workspace is not None):
        print_line((note, "dim"), stderr=True)


def _estimated(
    context: click.Context, suggested: list[SuggestedQuery], workspace: str
) -> tuple[list[SuggestedQuery], str]:
    """Return the queries with their estimates, and what to say if there are none."""
    try:
        with running_process(context) as running:
            estimated = with_estimates(running, workspace, suggested)
    except DatabaseMissing as error:
        return suggested, f"No estimates: {error}"
    if all(query.hits_per_day is None for query in estimated):
        return estimated, f"No estimates: no recent items are stored yet of what {workspace} watches."
    return estimated, ""


def _print(suggested: Sequence[SuggestedQuery]) -> None:
    for query in suggested:
        # Not a table: its cells would break a query into lines, which cannot be copied.
        print_line((f"{query.name}: ", "cyan"), (_described(query), "dim"))
        print_line("  ", (one_line(query.text), "bold"))


def _print_toml(suggested: Sequence[SuggestedQuery]) -> None:
    for number, query in enumerate(suggested):
        if number:
            print_line()
        print_line("  # ", _described(query))
        print_line("  [[workspace.query]]")
        print_line("  name = ", _toml_string(query.name))
        print_line("  text = ", _toml_string(query.text))


def _described(query: SuggestedQuery) -> str:
    if query.hits_per_day is None:
        return query.why
    return (
        f"{query.why} ({f'about {about(query.hits_per_day)} a day' if query.hits_per_day else 'no hits in the sample'})"
    )


def _toml_string(text: str) -> str:
    """Return a string as TOML: in single quotes, which leave phrases readable, if nothing has to be escaped."""
    plain = text.isascii() and text.isprintable() and "'" not in text
    return f"'{text}'" if plain else toml_escaped(msgspec.json.encode(text).decode(), ascii_only=not output.is_utf8())
