"""kill -9, and restart of whatever has exited, as by supervisord."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from overheard.stages import STAGES
from tests.servers.farm import Farm

PRODUCERS = ("ingress", "tick")


class Killer:
    """Keep one process of each kind running, and kill one from time to time: each kind in turn, in random order."""

    def __init__(self, farm: Farm, seed: int) -> None:
        self.farm = farm
        self.kinds = (*PRODUCERS, *STAGES)
        self.kills: Counter[str] = Counter()
        self.ended: list[tuple[str, int]] = []  # processes that exited by themselves, with exit codes
        self.last = "none"
        self._chance = random.Random(seed)
        self._deck: list[str] = []

    def start_all(self) -> None:
        for kind in self.kinds:
            self.start(kind)

    def start(self, kind: str) -> None:
        starts: Callable[[str], object] = self.farm.producer if kind in PRODUCERS else self.farm.actors
        starts(kind)

    def kill(self) -> str:
        """Kill the next process, restart it, and return its name."""
        if not self._deck:
            self._deck = self._chance.sample(self.kinds, len(self.kinds))
        self.last = self._deck.pop()
        self.farm.kill9(self.last)
        self.start(self.last)
        self.kills[self.last] += 1
        return self.last

    def revive(self) -> None:
        """Restart processes that have exited by themselves."""
        for kind, process in list(self.farm.processes.items()):
            code = process.poll()
            if code is not None:
                self.ended.append((kind, code))
                self.farm.processes.pop(kind)
                self.start(kind)
