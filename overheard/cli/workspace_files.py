"""``overheard import`` and ``overheard export``."""

from __future__ import annotations

import click
import msgspec

from overheard.channels.registry import redact
from overheard.cli.group import Misuse
from overheard.cli.opening import named_input, opened
from overheard.cli.output import counted, flat, is_utf8, line
from overheard.cli.saving import beyond_limits, options, save, warn_of_all
from overheard.db import specs, workspaces
from overheard.errors import InvalidInput
from overheard.input_files import read_to_limit
from overheard.workspaces import FILE_MAX_BYTES, WorkspaceSpec, read, write

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
    try:
        _import(context, file)
    except InvalidInput as error:
        raise Misuse(str(error)) from None


def _import(context: click.Context, path: str) -> None:
    where = "stdin" if path == "-" else path
    with named_input(path) as file:
        data = read_to_limit(file, where, FILE_MAX_BYTES)
    with opened(context, create=True) as program:
        wanted = read(data, where, options(program.config), beyond_limits(program))
        if not wanted:
            raise InvalidInput(f"{where}: describes no workspace; it consists of [[workspace]] tables (see README)")
        for spec in wanted:
            new, secrets = save(program, spec)
            line(("✓ ", "green"), "created " if new else "updated ", (spec.slug, "bold"), (_contents(spec), "dim"))
            for name in secrets:
                made = f"a signing secret was made for {flat(name)}"
                line("  ", f"{made}; to see it: overheard export --secrets {spec.slug}")
            warn_of_all(spec)


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
    with opened(context) as program:
        db = program.db
        names = slugs or tuple(row.slug for row in workspaces.overview(db))
        found = [specs.load(db, workspaces.by_name(db, slug).id, secrets=secrets) for slug in names]
    if not secrets:
        found = [hidden(spec) for spec in found]
        if any(spec.channel for spec in found):
            click.echo(REDACTED)
    click.echo(write(found, ascii_only=not is_utf8()), nl=False)


def hidden(spec: WorkspaceSpec) -> WorkspaceSpec:
    """The workspace without its channels' addresses."""
    channels = tuple(msgspec.structs.replace(channel, url=redact(channel.url)) for channel in spec.channel)
    return msgspec.structs.replace(spec, channel=channels)
