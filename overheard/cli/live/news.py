"""What there is to say while mentions arrive: a source that does not answer, a feed or channel that fails."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from overheard.db import channels, feeds, source_health
from overheard.db.database import Db
from overheard.sources.registry import place_label

SILENT_SECONDS = 5.0  # without any answer, after which that is said
REFUSED_FEEDS_SHOWN = 20
FAILING_CHANNELS_SHOWN = 20


class SourceNews:
    """Notes on sources, each once. ``expected``: all of them should answer soon, so that silence is news, too."""

    def __init__(self, db: Db, sources: Collection[str], *, expected: bool) -> None:
        self._db = db
        self._sources = sorted(sources)
        self._expected = expected
        self._failing: set[str] = set()
        self._refused: set[tuple[str, str]] = set()

    def notes(self, elapsed: float) -> Iterator[str]:
        """Yield what has changed since the last call; ``elapsed``: seconds since the start."""
        for source in self._sources:
            state = source_health.state(self._db, source)
            if state.failing_since is None and state.read_at is None and elapsed < SILENT_SECONDS:
                continue
            fails = state.failing_since is not None or (self._expected and state.read_at is None)
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


class ChannelNews:
    """Notes on channels that begin to fail, or are disabled, and on those that accept messages again."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._failing: dict[tuple[str, str], bool] = {}

    def notes(self) -> Iterator[str]:
        """Yield what has changed since the last call."""
        failing = {
            (each.workspace, each.name): each for each in channels.failing_or_disabled(self._db, FAILING_CHANNELS_SHOWN)
        }
        for key, channel in failing.items():
            if self._failing.get(key) is not channel.disabled:
                yield f"channel {'/'.join(key)} {'is disabled' if channel.disabled else 'fails'}: {channel.reason}"
        for key in self._failing.keys() - failing.keys():
            yield f"channel {'/'.join(key)} works again."
        self._failing = {key: channel.disabled for key, channel in failing.items()}
