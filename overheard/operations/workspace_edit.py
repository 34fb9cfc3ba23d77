"""Edit a workspace as a text: its TOML with all secrets, checked before it is saved."""

from __future__ import annotations

import msgspec

from overheard.db import workspace_specs
from overheard.db.database import Db
from overheard.errors import Conflict, InvalidInput
from overheard.operations import workspace_diff
from overheard.operations.workspace_diff import SpecChange
from overheard.operations.workspaces import (
    SavedWorkspace,
    channel_options,
    limit_check,
    locked,
    require_not_internal,
    save,
    specs_in,
)
from overheard.process import RunningProcess
from overheard.workspaces import WorkspaceSpec, write

HEADER = """\
# Workspace {slug}. When you save this file and leave the editor, it is checked, and its changes are applied.
# What is not in it any more is removed: a channel with its history; a query, whose mentions are kept. To give a query
# another name: overheard query rename.
#
# Keys that are not shown have their defaults. Of the workspace: quiet = "22:00-07:00", working = "mon-fri 08:00-18:00";
# of a channel: min_gap = "0s", max_per_hour = 60, summary_every = "30s", queries = ["brand"]; and mutes:
#   [[workspace.mute]]
#   author = "automod"       # or query, place, thread; several must all fit
#   until = "2026-12-31"     # without it, for good

"""


class WorkspaceEdit(msgspec.Struct, frozen=True):
    """A workspace that is being edited: as it was ``before``, and its ``text``."""

    before: WorkspaceSpec
    text: str


class CheckedEdit(msgspec.Struct, frozen=True):
    """A valid text: the workspace that it makes of the one ``before``, and what that changes."""

    before: WorkspaceSpec
    after: WorkspaceSpec
    changes: list[SpecChange]


def begin(db: Db, slug: str) -> WorkspaceEdit:
    """Return a workspace's text. Raises NotFound, and Conflict for an internal one."""
    before = workspace_specs.load(db, require_not_internal(db, slug).id, secrets=True)
    return WorkspaceEdit(before, HEADER.format(slug=before.slug) + write([before]))


def check(running: RunningProcess, edit: WorkspaceEdit, text: bytes, where: str) -> CheckedEdit:
    """Return what an edited text changes. Raises InvalidInput."""
    specs = specs_in(text, where, channel_options(running), limit_check(running))
    slug = edit.before.slug
    if [spec.slug for spec in specs] != [slug]:
        found = ", ".join(spec.slug for spec in specs)
        raise InvalidInput(f"{where}: expected the workspace {slug} alone, not {found}: a slug cannot be changed")
    return CheckedEdit(edit.before, specs[0], workspace_diff.changes(edit.before, specs[0]))


def apply(running: RunningProcess, edit: CheckedEdit) -> SavedWorkspace:
    """Save it. Raises Conflict, with what has changed, if the workspace is not as it was any more; NotFound."""
    slug = edit.before.slug
    with running.db.transaction():
        _, now = locked(running.db, slug, secrets=True)
        if now != edit.before:
            found = workspace_diff.changes(edit.before, now)
            lines = "\n".join(f"{change.sign} {change.text}" for change in found)
            raise Conflict(f"workspace {slug} was changed by somebody else in the meantime:\n{lines}")
        return save(running, edit.after)
