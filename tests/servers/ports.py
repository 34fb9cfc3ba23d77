"""Ports for private servers."""

from __future__ import annotations

import secrets
import socket


def free_ports(count: int) -> list[int]:
    """Ports nobody uses, outside the range of outgoing connections: none may take one while its server is stopped."""
    ports: set[int] = set()
    while len(ports) < count:
        port = 15_000 + secrets.randbelow(15_000)  # `random` may be seeded, alike in every process
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                ports.add(port)
    return list(ports)
