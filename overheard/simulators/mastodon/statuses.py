"""The simulated server's statuses: publish, federate late, edit, delete, list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True)
class SimulatedStatus:
    """`acct` has a host if it is another server's. `fields` overrides what is rendered; times are Unix seconds."""

    id: int
    acct: str
    content: str
    created: float
    uri: str
    url: str
    tags: tuple[str, ...] = ()
    reply_to: int | None = None
    edited: float | None = None
    account: dict[str, object] = field(default_factory=dict)
    fields: dict[str, object] = field(default_factory=dict)

    @property
    def on_public_timeline(self) -> bool:
        """Mastodon's public timeline has no replies, other than to oneself, and no boosts."""
        return self.reply_to is None and "reblog" not in self.fields


class SimulatedStatuses:
    """All statuses by id, newest last. Thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._by_id: dict[int, SimulatedStatus] = {}
        self._sequence = 0
        self._lock = Lock()

    def add(self, make: Callable[[int, float], SimulatedStatus], created: float) -> SimulatedStatus:
        """Add the status that `make` returns for an id and a time. The id's low bits are a sequence, as in Mastodon."""
        with self._lock:
            status_id = 0
            while status_id == 0 or status_id in self._by_id:
                self._sequence = (self._sequence + 1) % 65_536
                status_id = (int(created * 1000) << 16) + self._sequence
            status = self._by_id[status_id] = make(status_id, created)
            return status

    def get(self, status_id: int) -> SimulatedStatus | None:
        with self._lock:
            return self._by_id.get(status_id)

    def edit(self, status_id: int, content: str) -> None:
        with self._lock:
            status = self._by_id[status_id]
            status.content, status.edited = content, self._now()

    def delete(self, status_id: int) -> None:
        with self._lock:
            del self._by_id[status_id]

    def page(
        self,
        tag: str | None,
        limit: int,
        bounds: Mapping[str, int],
        *,
        local: bool = False,
        remote: bool = False,
    ) -> Sequence[SimulatedStatus]:
        """Return a page, newest first. `bounds`: ids by parameter.

        With `min_id` it is the page that follows that id immediately; with `since_id`, the newest page, down to it.
        """
        min_id, since_id, max_id = (bounds.get(name) for name in ("min_id", "since_id", "max_id"))
        with self._lock:
            listed = sorted(self._by_id.values(), key=lambda status: status.id)
        wanted = [
            status
            for status in listed
            if (status.on_public_timeline if tag is None else tag in status.tags)
            and (max_id is None or status.id < max_id)
            and (since_id is None or status.id > since_id)
            and (min_id is None or status.id > min_id)
            and not (local and "@" in status.acct)
            and not (remote and "@" not in status.acct)
        ]
        found = wanted[:limit] if min_id is not None else wanted[-limit:]
        return found[::-1]
