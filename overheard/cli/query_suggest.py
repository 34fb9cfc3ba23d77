"""``overheard query suggest``: a few good queries for a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import click
import msgspec

from overheard.cli import output
from overheard.cli.output import one_line, print_line
from overheard.cli.root import WrongUsage
from overheard.errors import InvalidInput
from overheard.invisible_characters import toml_escaped
from overheard.operations.query_suggestions import SuggestedQuery, suggestions


@click.command
@click.argument("name")
@click.option("--domain", metavar="HOST", help="Its web site: acme.com.")
@click.option(
    "--competitor", "competitors", multiple=True, metavar="NAME", help="What it is compared with. Repeatable."
)
@click.option("--format", type=click.Choice(["text", "json", "toml"]), default="text", show_default=True)
def suggest(
    name: str, domain: str | None, competitors: tuple[str, ...], format: Literal["text", "json", "toml"]
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
    if format == "json":
        for query in suggested:
            output.print_json(msgspec.structs.asdict(query))
    elif format == "toml":
        _print_toml(suggested)
    else:
        for query in suggested:
            # Not a table: its cells would break a query into lines, which cannot be copied.
            print_line((f"{query.name}: ", "cyan"), (query.why, "dim"))
            print_line("  ", (one_line(query.text), "bold"))


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
