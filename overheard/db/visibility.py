"""What people see: all but what is Overheard's own (``internal``), which shows only when asked for by its name."""

from __future__ import annotations

from typing import Any

from overheard.db.models import Feed, Workspace

WORKSPACES: Any = ~Workspace.internal
FEEDS: Any = ~Feed.internal


def workspace(slug: str | None) -> Any:
    """Return the condition of being the workspace of this slug; None: one of those that people see."""
    return WORKSPACES if slug is None else Workspace.slug == slug
