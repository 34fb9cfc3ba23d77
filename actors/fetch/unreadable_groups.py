"""Tell a group that its source cannot serve from a source that is down: both answer with the same errors.

A single place may make the source answer with an error to every request that names it. Such a group is treated like a
refused one: it is divided until the place stands alone, and backs off. Otherwise 49 others would not be read either.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from actors.fetch.source_health import SourceHealth
from overheard.clock import Clock

FAILURES_IN_A_ROW = 3  # of one group, before it may be to blame; chosen, not measured
MEMORY_SECONDS = 86400.0  # after which a group that has not failed again may be gone; chosen, not measured
UNREADABLE = "errors"  # the reason for which such a feed backs off


class GroupFailures(msgspec.Struct):
    """How often in a row a group's readings have failed, first at ``since``, and last at ``latest``."""

    source: str
    since: float
    latest: float
    count: int = 0

    def asks_source(self, *, alone: bool) -> bool:
        """Return True after 3, 6, 12, 24 … failures: if the source is down, it must not be probed each time.

        Unless the group is ``alone``, not after 3: groups that fail one after the other tell as much as a probe.
        """
        times, rest = divmod(self.count, FAILURES_IN_A_ROW)
        return rest == 0 and times & (times - 1) == 0 and (alone or times > 1)


class UnreadableGroups:
    """The failures that this process has seen, of errors for which the source names no delay: others concern all."""

    def __init__(self, health: SourceHealth, clock: Clock) -> None:
        self._health = health
        self._clock = clock
        self._failures: dict[int, GroupFailures] = {}

    def record_success(self, group: int) -> None:
        """Forget the group's failures."""
        self._failures.pop(group, None)

    def is_to_blame(self, group: int, source: str, probe: Callable[[], bool]) -> bool:
        """Record a failure of the group; return True if it keeps failing while the source serves others.

        ``probe`` asks the source for something else.
        """
        now = self._clock()
        failures = self._failures.setdefault(group, GroupFailures(source, now, now))
        failures.count, failures.latest = failures.count + 1, now
        seen = list(self._failures.items())  # a copy: other threads record failures, too
        for other, its in seen:
            if its.latest < now - MEMORY_SECONDS:
                self._failures.pop(other, None)
        if failures.count < FAILURES_IN_A_ROW:
            return False
        # Of the others, some failed before this one did, and may have joined another group since.
        alone = not any(its.source == source and its.latest >= failures.since for _, its in seen if its is not failures)
        return self._health.succeeded_since(source, failures.since) or (failures.asks_source(alone=alone) and probe())

    def suspect(self, group: int, parts: tuple[int, ...]) -> None:
        """Let the parts into which a group was divided be to blame at their first failure."""
        failures = self._failures.pop(group, None)
        if failures is not None:
            for part in parts:
                self._failures[part] = msgspec.structs.replace(failures, count=FAILURES_IN_A_ROW - 1)
