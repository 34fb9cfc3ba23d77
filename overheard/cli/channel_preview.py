"""``overheard channel preview``: a mention as a channel would be sent it."""

from __future__ import annotations

from pathlib import Path

import click

from overheard.channels.rendering.sanitize import clean
from overheard.cli.context import running_process
from overheard.cli.output import print_line
from overheard.cli.root import CliError
from overheard.errors import InvalidInput
from overheard.operations import channel_preview


@click.command
@click.argument("workspace")
@click.argument("name")
@click.option("--mention", type=click.IntRange(1, 2**63 - 1), metavar="ID", help="This mention.  [default: the newest]")
@click.option(
    "--html", "path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it as a page."
)
@click.pass_context
def preview(context: click.Context, workspace: str, name: str, mention: int | None, path: Path | None) -> None:
    """Show a mention as channel NAME of WORKSPACE gets it.

    Nothing is sent. If there is no mention yet, an invented one is shown.
    """
    with running_process(context) as running:
        try:
            shown = channel_preview.preview(running, workspace, name, mention)
        except InvalidInput as error:
            raise CliError(f"{workspace}/{name}: {error}") from None
    what = "an invented mention" if shown.mention is None else f"mention {shown.mention}"
    # On stderr, so that stdout is the message alone.
    print_line((f"{what}, for {shown.kind}; nothing is sent", "dim"), stderr=True)
    if path is None:
        print_line(clean(shown.message.text))
    else:
        path.write_text(shown.page, encoding="utf-8", errors="replace")
        print_line(("✓ ", "green"), "written to ", (str(path), "bold"))
