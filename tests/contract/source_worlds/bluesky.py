"""Bluesky and its simulator."""

from __future__ import annotations

from typing import Self

from overheard.simulators.bluesky import BlueskySimulator, StreamFault
from overheard.sources.bluesky.client import Choice, JetstreamServer
from overheard.sources.bluesky.source import BlueskySource
from tests.unit.sources.reddit_world import new_metrics


class BlueskyWorld:
    """The source, and the simulator in one version of the protocol."""

    def __init__(self, protocol: Choice = "auto", look_back: float = 3600.0) -> None:
        self.simulator = BlueskySimulator(look_back=look_back)
        self._protocol = protocol

    def __enter__(self) -> Self:
        self.simulator.start()
        server = JetstreamServer(self.simulator.url, self._protocol, self.simulator.now)
        waits = {"batch_seconds": 0.2, "quiet_seconds": 2.0}
        self.source = BlueskySource(server, new_metrics(), clock=self.simulator.now, **waits)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.simulator.stop()

    def add(self, text: str) -> str:
        return self.simulator.add_post(text, "did:plc:ann")

    def delete(self, item_id: str) -> None:
        self.simulator.delete_post(item_id)

    def remove_author(self) -> str:
        """Delete the account that has written everything here; return its name."""
        self.simulator.set_account("did:plc:ann", active=False, status="deleted")
        return "did:plc:ann"

    def break_down(self) -> None:
        """Refuse the next connection."""
        self.simulator.faults.inject(StreamFault("refuse", status=503))

    def drop(self) -> None:
        """End the next connection after its first event."""
        self.simulator.faults.inject(StreamFault("reset", after=1))

    def forget(self) -> None:
        """Let so much time pass that the server no longer has anything of what was published."""
        self.simulator.advance(2 * self.simulator.log.look_back)
