"""What lists and counts show: everything but Overheard's own (``internal``), which shows only when named."""

from __future__ import annotations

from typing import Any

from overheard.db.models import Feed, Workspace

IS_PUBLIC_WORKSPACE: Any = ~Workspace.internal
IS_PUBLIC_FEED: Any = ~Feed.internal


def workspace_condition(slug: str | None) -> Any:
    """Return the condition that selects the workspace with this slug; None: all public ones."""
    return IS_PUBLIC_WORKSPACE if slug is None else Workspace.slug == slug
