"""What people see: all but what is Overheard's own (``internal``), which shows only when asked for by its name."""

from __future__ import annotations

from typing import Any

from overheard.db.models import Feed, Workspace

IS_PUBLIC_WORKSPACE: Any = ~Workspace.internal
IS_PUBLIC_FEED: Any = ~Feed.internal


def workspace_condition(slug: str | None) -> Any:
    """Return the condition of being the workspace of this slug; None: one of those that people see."""
    return IS_PUBLIC_WORKSPACE if slug is None else Workspace.slug == slug
