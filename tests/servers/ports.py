"""Ports for private servers."""

from __future__ import annotations

import secrets
import socket


def free_ports(count: int) -> list[int]:
    """Return free ports outside the range of outgoing connections, which could take one while its server is stopped."""
    ports: set[int] = set()
    while len(ports) < count:
        port = 15_000 + secrets.randbelow(15_000)  # `random` may be seeded, alike in every process
        if _is_free(port):
            ports.add(port)
    return list(ports)


def free_range(count: int) -> int:
    """Return the first of ``count`` consecutive free ports, for processes that number their own."""
    while True:
        first = 15_000 + secrets.randbelow(15_000 - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
