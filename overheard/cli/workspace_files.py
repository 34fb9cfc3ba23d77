"""``overheard import`` and ``overheard export``."""

from __future__ import annotations

import tomllib
from typing import IO

import click
import msgspec

from overheard.channels.redact import HIDDEN
from overheard.channels.registry import redact
from overheard.cli.opening import opened
from overheard.cli.output import counted, line
from overheard.cli.saving import options, save, warn_of_all
from overheard.db import specs, workspaces
from overheard.errors import InvalidInput
from overheard.workspace_file import WorkspaceSpec, read, write

REDACTED = """\
# Without the addresses and secrets of channels; `overheard import` takes back: overheard export --secrets
"""


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.pass_context
def import_(context: click.Context, file: IO[bytes]) -> None:
    """Create or change the workspaces that FILE (TOML; - is stdin) describes.

    Nothing is saved unless all of it is right. A workspace that exists becomes what FILE says: queries and channels
    that are not in it are removed, the others keep their history. Workspaces that FILE does not name stay as they are.
    """
    named = getattr(file, "name", "-")
    where = "stdin" if named in ("-", "<stdin>") else str(named)
    text = _text(file, where)
    with opened(context) as program:
        wanted = read(text, where, options(program.config))
        for spec in wanted:
            new, secrets = save(program, spec)
            line(("✓ ", "green"), "created " if new else "updated ", (spec.slug, "bold"), (_contents(spec), "dim"))
            for name in secrets:
                line("  ", f"a signing secret was made for {name}; to see it: overheard export --secrets {spec.slug}")
            warn_of_all(spec)
    if not wanted:
        line((f"{where} describes no workspace.", "dim"))


def _text(file: IO[bytes], where: str) -> str:
    try:
        text = file.read().decode("utf-8-sig")
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{where}: not UTF-8 (byte {error.start})") from None
    except tomllib.TOMLDecodeError:
        return text  # ``read`` says what is wrong
    if HIDDEN in str(tables) and any(_hidden(table) for table in _tables(tables.get("workspace"))):
        raise InvalidInput(
            f"{where}: channels without their addresses ({HIDDEN}): they were left out when it was exported; "
            "export it anew with `overheard export --secrets`, or write the addresses in"
        )
    return text


def _hidden(workspace: dict[str, object]) -> bool:
    channels = _tables(workspace.get("channel"))
    return any(str(channel.get("url")) == redact(str(channel.get("url"))) for channel in channels)


def _tables(value: object) -> list[dict[str, object]]:
    return [table for table in value if isinstance(table, dict)] if isinstance(value, list) else []


def _contents(spec: WorkspaceSpec) -> str:
    counts = ((len(spec.subreddits), "subreddit"), (len(spec.query), "query"), (len(spec.channel), "channel"))
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
    click.echo(write(found), nl=False)


def hidden(spec: WorkspaceSpec) -> WorkspaceSpec:
    """The workspace without its channels' addresses."""
    channels = tuple(msgspec.structs.replace(channel, url=redact(channel.url)) for channel in spec.channel)
    return msgspec.structs.replace(spec, channel=channels)
