"""``overheard workspace edit``: a workspace in an editor."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from overheard.cli.context import running_process
from overheard.cli.flood_warnings import warn_of_floods
from overheard.cli.output import print_error, print_line
from overheard.cli.root import CliError, WrongUsage
from overheard.cli.workspace_files import print_changes, print_saved
from overheard.errors import InvalidInput
from overheard.input_files import open_for_reading, read_limited
from overheard.operations import workspace_edit
from overheard.operations.flood_warnings import SavedQueries
from overheard.operations.workspace_diff import is_unchanged, removals
from overheard.operations.workspace_edit import CheckedEdit, WorkspaceEdit
from overheard.workspaces import FILE_MAX_BYTES

DEFAULT_EDITOR = "vi"


@click.command
@click.argument("slug")
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation when something is removed.")
@click.pass_context
def edit(context: click.Context, slug: str, yes: bool) -> None:
    """Edit a workspace in $VISUAL or $EDITOR, as in a workspace file.

    The text contains the channels' secrets, in a file that only you can read. It is checked before it is saved; if it
    is not valid, it can be edited again, and it is never lost. An editor that returns at once needs its option to wait:
    EDITOR='code --wait'.
    """
    with running_process(context) as running:
        begun = workspace_edit.begin(running.db, slug)
    with _kept_unless_saved(begun) as path:
        while (checked := _edited(context, begun, path)) is None:
            pass
        if is_unchanged(checked.changes):
            print_line(("= ", "dim"), (slug, "bold"), " is unchanged.")
            return
        print_changes(checked.changes)
        if removals(checked.changes) and not yes:
            click.confirm("Save this, and remove what is marked with -?", abort=True, err=True)
        with running_process(context) as running:
            queries = SavedQueries(running)
            print_saved(workspace_edit.apply(running, checked))
            warn_of_floods(queries)


def _edited(context: click.Context, begun: WorkspaceEdit, path: Path) -> CheckedEdit | None:
    """Let the user edit the text, and check it; return None to let it be edited again."""
    _run_editor(path)
    with open_for_reading(path) as file:
        data = read_limited(file, str(path), FILE_MAX_BYTES)
    if data == begun.text.encode():
        return CheckedEdit(begun.before, begun.before, [])
    try:
        with running_process(context) as running:
            return workspace_edit.check(running, begun, data, path.name)
    except InvalidInput as error:
        if not sys.stdin.isatty():
            raise WrongUsage(str(error)) from None
        print_error(str(error))
        click.confirm("Edit it again?", default=True, abort=True, err=True)
        return None


@contextmanager
def _kept_unless_saved(begun: WorkspaceEdit) -> Iterator[Path]:
    """Yield a private file with the text. Delete it at the end, unless it was changed and something went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="overheard-"))  # only for this user, as is what the editor puts beside it
    path = folder / f"{begun.before.slug}.toml"
    try:
        path.touch(mode=0o600)
        path.write_text(begun.text, encoding="utf-8")
        yield path
    except BaseException:
        if path.exists() and path.read_bytes() != begun.text.encode():
            print_line(("! ", "yellow"), "Nothing is saved. Your text is kept in ", (str(path), "bold"), stderr=True)
            print_line(f"  It has secrets in it. To apply it as it is: overheard import {path}", stderr=True)
        else:
            shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


def _run_editor(path: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or DEFAULT_EDITOR
    # Ctrl-C is for the editor: here it would end the command, and take the terminal away from the editor. Not SIG_IGN,
    # which the editor would inherit.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        # The command is the user's own.
        code = subprocess.run([*shlex.split(command), str(path)], check=False).returncode  # noqa: S603
    except (OSError, ValueError) as error:
        raise CliError(f"the editor {command!r} cannot be started: {error}; set VISUAL or EDITOR") from None
    finally:
        signal.signal(signal.SIGINT, before)
    if code:
        raise CliError(f"the editor {command!r} ended with exit code {code}")
