"""What there is to say about the sources while listening: one that does not answer, a feed that is refused."""

from __future__ import annotations

from collections.abc import Iterator

from overheard.db import feeds, source_health
from overheard.db.database import Db
from overheard.sources.registry import place_label
from overheard.workspaces import WorkspaceSpec

SILENT_SECONDS = 5.0  # without any answer, after which that is said
REFUSED_FEEDS_SHOWN = 20


class SourceNews:
    """Notes on the sources of a workspace, each once."""

    def __init__(self, db: Db, spec: WorkspaceSpec) -> None:
        self._db = db
        self._sources = sorted({feed.source for feed in spec.feeds})
        self._failing: set[str] = set()
        self._refused: set[tuple[str, str]] = set()

    def notes(self, elapsed: float) -> Iterator[str]:
        """Yield what has changed since the last call; ``elapsed``: seconds since the start."""
        for source in self._sources:
            state = source_health.state(self._db, source)
            if state.failing_since is None and state.read_at is None and elapsed < SILENT_SECONDS:
                continue
            fails = state.failing_since is not None or state.read_at is None
            if fails and source not in self._failing:
                self._failing.add(source)
                yield f"{source} cannot be reached: {state.reason or 'it has not answered yet'}. Still trying."
            elif not fails and source in self._failing:
                self._failing.remove(source)
                yield f"{source} answers."
        for feed in feeds.failing(self._db, REFUSED_FEEDS_SHOWN):
            key = (feed.source, feed.name)
            if key not in self._refused:
                self._refused.add(key)
                yield f"{place_label(feed.source, feed.name)} cannot be read: {feed.reason or 'it is refused'}"
