"""``overheard import`` and ``overheard export``."""

from __future__ import annotations

import click

from overheard.cli.context import named_input, open_app
from overheard.cli.group import WrongUsage
from overheard.cli.output import flat, hint, is_utf8, line
from overheard.errors import InvalidInput
from overheard.input_files import read_limited
from overheard.operations import workspaces
from overheard.operations.wording import counted
from overheard.operations.workspaces import ALL_IS_PARTIAL, INSTEAD_OF_ALL, SavedWorkspace
from overheard.workspaces import FILE_MAX_BYTES, WorkspaceSpec, write

REDACTED = """\
# Without the addresses and secrets of channels; `overheard import` takes back: overheard export --secrets
"""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.pass_context
def import_(context: click.Context, file: str) -> None:
    """Create or change the workspaces that FILE (TOML; - is stdin) describes.

    Nothing is saved unless all of it is right. A workspace that exists becomes what FILE says: queries and channels
    that are not in it are removed, the others keep their history. Workspaces that FILE does not name stay as they are.
    """
    where = "stdin" if file == "-" else file
    try:
        with named_input(file) as opened_file:
            data = read_limited(opened_file, where, FILE_MAX_BYTES)
        with open_app(context, create=True) as program:
            for saved in workspaces.import_text(program, data, where):
                _tell(saved)
    except InvalidInput as error:
        raise WrongUsage(str(error)) from None


def _tell(saved: SavedWorkspace) -> None:
    spec = saved.spec
    line(("✓ ", "green"), "created " if saved.new else "updated ", (spec.slug, "bold"), (_contents(spec), "dim"))
    for name in saved.secrets:
        made = f"a signing secret was made for {flat(name)}"
        line("  ", f"{made}; to see it: overheard export --secrets {spec.slug}")
    warn(saved)


def warn(saved: SavedWorkspace) -> None:
    """Say that a workspace on all of Reddit misses most of it, and what to do instead."""
    if saved.partial:
        line(("! ", "yellow"), (saved.spec.slug, "bold"), f": {ALL_IS_PARTIAL}")
        hint(INSTEAD_OF_ALL, 2)


def _contents(spec: WorkspaceSpec) -> str:
    places = sum(len(places) for _, places, _ in spec.watches)
    counts = (
        (places, "subreddit" if spec.subreddits else "place"),
        (len(spec.query), "query"),
        (len(spec.channel), "channel"),
    )
    return "  " + ", ".join(counted(number, noun) for number, noun in counts)


@click.command
@click.argument("slugs", nargs=-1, metavar="[SLUG]…")
@click.option("--secrets", is_flag=True, help="With channels' addresses and secrets: keep the file private.")
@click.pass_context
def export(context: click.Context, slugs: tuple[str, ...], secrets: bool) -> None:
    """Write workspaces (default: all) as TOML.

    The addresses of channels hold tokens: without --secrets they are left out.
    """
    with open_app(context) as program:
        found = workspaces.export(program.db, slugs, secrets=secrets)
    if not secrets and any(spec.channel for spec in found):
        click.echo(REDACTED)
    click.echo(write(found, ascii_only=not is_utf8()), nl=False)
