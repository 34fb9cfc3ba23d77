"""What to listen to, as a workspace."""

from __future__ import annotations

import re
from collections.abc import Iterable

from overheard import canary
from overheard.cli import arguments
from overheard.cli.arguments import QUERY_NAME_MAX_CHARS
from overheard.items import ALL
from overheard.workspaces import QuerySpec, WatchSpec, WorkspaceSpec, validated

DEFAULT_SOURCE = "hackernews"
FEEDS_SOURCE = "feeds"
SLUG_MAX_CHARS = 40
BARE_NAME = re.compile(r"[A-Za-z0-9_-]+")  # of a source: everything there


def spec_of(query: str, sources: Iterable[str], feeds: Iterable[str]) -> WorkspaceSpec:
    """Return a workspace with this query, and a watch of each source, place and feed. Raises InvalidInput."""
    given = tuple(sources) or (DEFAULT_SOURCE,)
    watches = [WatchSpec(text.lower(), (ALL,)) for text in given if BARE_NAME.fullmatch(text)]
    watches += arguments.watches(text for text in given if not BARE_NAME.fullmatch(text))
    if urls := tuple(feeds):
        watches.append(WatchSpec(FEEDS_SOURCE, urls))
    one_line = " ".join(query.split())
    name = one_line if len(one_line) <= QUERY_NAME_MAX_CHARS else "query"
    return validated(WorkspaceSpec(slug=_slug(query), watch=tuple(watches), query=(QuerySpec(name, query),)))


def _slug(query: str) -> str:
    """Return a slug made of the query's words, for the file in which the workspace may be kept."""
    slug = re.sub(r"[^a-z0-9]+", "-", query.lower())[:SLUG_MAX_CHARS].strip("-")
    return slug if slug and not slug.isdecimal() and slug != canary.WORKSPACE else f"listen-{slug}".strip("-")
