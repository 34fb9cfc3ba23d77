"""Ports for private servers."""

from __future__ import annotations

import functools
import secrets
import socket

# Outside the range of outgoing connections, which could take the port of a server that is stopped for a while.
FIRST_PORT, END_PORT = 15_000, 30_000
BLOCK_PORTS = 120


def free_ports(count: int) -> list[int]:
    """Return free ports, which no other test process of this machine gets while this one runs.

    Between the look at a port and the start of its server there may be seconds.
    """
    return [free_range(1) for _ in range(count)]


def free_range(count: int) -> int:
    """Return the first of ``count`` consecutive such ports, for processes that number their own."""
    return _ports().take(count)


class PortBlocks:
    """The ports of this process, handed out in turn from blocks that it reserves until it ends."""

    def __init__(self) -> None:
        self._next = self._end = FIRST_PORT

    def take(self, count: int) -> int:
        assert count <= BLOCK_PORTS
        while True:
            if self._next + count > self._end:
                self._next = self._reserve()
                self._end = self._next + BLOCK_PORTS
            first, self._next = self._next, self._next + count
            if all(_is_free(port) for port in range(first, first + count)):
                return first

    def _reserve(self) -> int:
        """Return the first port of a block. A name in the kernel reserves it, and goes with the process."""
        blocks = range(FIRST_PORT, END_PORT, BLOCK_PORTS)
        for block in secrets.SystemRandom().sample(blocks, len(blocks)):  # `random` may be seeded, alike in all
            held = socket.socket(socket.AF_UNIX)
            try:
                held.bind(f"\0overheard-test-ports-{block}")
            except OSError:
                held.close()
                continue
            held.detach()  # it stays open
            return block
        raise RuntimeError("all ports are reserved; are there forgotten test processes?")


@functools.cache
def _ports() -> PortBlocks:
    return PortBlocks()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
