"""``overheard import`` and ``overheard export``: workspaces as TOML."""

from __future__ import annotations

from collections.abc import Iterable

import click

from overheard.cli.context import configuration, open_named_input, running_process
from overheard.cli.flood_warnings import warn_of_floods
from overheard.cli.output import is_utf8, one_line, print_hint, print_line
from overheard.cli.root import WrongUsage
from overheard.errors import DatabaseMissing, InvalidInput
from overheard.input_files import read_limited
from overheard.operations import workspace_diff, workspaces
from overheard.operations.channels import options
from overheard.operations.flood_warnings import SavedQueries
from overheard.operations.whole_source import INSTEAD_OF_ALL
from overheard.operations.wording import counted
from overheard.operations.workspace_diff import SpecChange
from overheard.operations.workspaces import ALL_IS_COSTLY, SavedWorkspace, channel_options, limit_check
from overheard.workspaces import FILE_MAX_BYTES, WorkspaceSpec, write

REDACTED_HEADER = """\
# Channel URLs and feeds' tokens are redacted, and secrets left out. For a file that can be imported:
# overheard export --secrets
"""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Only show what it would add (+), remove (-), change (~) and leave (=).")
@click.pass_context
def import_(context: click.Context, file: str, dry_run: bool) -> None:
    """Create or update the workspaces in FILE (TOML; - is stdin).

    Nothing is saved if any part is invalid. An existing workspace is replaced: its queries and channels that are not in
    FILE are removed, the others keep their history. Workspaces that are not in FILE stay unchanged.
    """
    where = "stdin" if file == "-" else file
    try:
        with open_named_input(file) as opened_file:
            # Before the database is opened: a slow stdin must not hold a session.
            data = read_limited(opened_file, where, FILE_MAX_BYTES)
        if dry_run:
            return print_changes(_planned(context, data, where))
        with running_process(context, create=True) as running:
            queries = SavedQueries(running)
            for saved in workspaces.import_text(running, data, where):
                print_saved(saved)
            warn_of_floods(queries)
    except InvalidInput as error:
        raise WrongUsage(str(error)) from None


def _planned(context: click.Context, data: bytes, where: str) -> list[SpecChange]:
    try:
        with running_process(context) as running:
            return workspace_diff.planned(data, where, channel_options(running), limit_check(running), running.db)
    except DatabaseMissing:  # everything is new, and a dry run creates nothing
        config = configuration(context)
        allowed = options(config, allow_private=config.notify.allow_private)
        return workspace_diff.planned(data, where, allowed)


def print_changes(changes: Iterable[SpecChange]) -> None:
    """Print a line for each change, which begins with its sign."""
    styles = {"+": "green", "-": "red", "~": "yellow", "=": "dim"}
    for change in changes:
        style = styles[change.sign]
        print_line((f"{change.sign} ", style), (change.workspace, "bold"), f": {one_line(change.text)}")


def print_saved(saved: SavedWorkspace) -> None:
    """Print what was saved, the names of new secrets, and a warning about a costly watch."""
    spec = saved.spec
    print_line(("✓ ", "green"), "created " if saved.new else "updated ", (spec.slug, "bold"), (_contents(spec), "dim"))
    # Only their names: an import often runs in a script, and its output ends up in a log.
    for name in saved.secrets:
        created = f"created a signing secret for {one_line(name)}"
        print_line("  ", f"{created}; to show it: overheard export --secrets {spec.slug}")
    warn_costly(saved)


def warn_costly(saved: SavedWorkspace) -> None:
    """Warn that a workspace on all comments of Reddit takes most of a client's budget, and print the alternative."""
    if saved.costly:
        print_line(("! ", "yellow"), (saved.spec.slug, "bold"), f": {ALL_IS_COSTLY}")
        print_hint(INSTEAD_OF_ALL, 2)


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
@click.option("--secrets", is_flag=True, help="Include channel URLs, feeds' tokens and secrets: keep the file private.")
@click.pass_context
def export(context: click.Context, slugs: tuple[str, ...], secrets: bool) -> None:
    """Write workspaces (default: all) as TOML.

    Channel URLs contain tokens, and feeds' URLs may: without --secrets they are redacted.
    """
    with running_process(context) as running:
        specs = workspaces.export(running.db, slugs, secrets=secrets)
    if not secrets and any(map(workspaces.is_redacted, specs)):
        click.echo(REDACTED_HEADER)
    click.echo(write(specs, ascii_only=not is_utf8()), nl=False)
