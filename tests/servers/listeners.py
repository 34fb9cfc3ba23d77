"""The addresses that processes listen on, read from the kernel: /proc/net and the processes' open files."""

from __future__ import annotations

import ipaddress
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LISTEN, UNCONNECTED = "0A", "07"  # TCP's LISTEN; a UDP socket that accepts from any address
TABLES = {"tcp": LISTEN, "tcp6": LISTEN, "udp": UNCONNECTED, "udp6": UNCONNECTED}


class Listener(NamedTuple):
    protocol: str
    address: str
    port: int

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback


def listeners(pids: Iterable[int]) -> set[Listener]:
    """Return the addresses that these processes listen on."""
    inodes = {inode for pid in pids for inode in _sockets(pid)}
    found = set()
    for protocol, state in TABLES.items():
        table = Path("/proc/net") / protocol
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == state and fields[9] in inodes:
                address, port = _address(fields[1].split(":")[0]), int(fields[1].split(":")[1], 16)
                if not (protocol.startswith("udp") and port in _outgoing()):
                    found.add(Listener(protocol, address, port))
    return found


def _outgoing() -> range:
    """The ports from which the kernel lets programs ask: a UDP socket there waits for an answer (a resolver's)."""
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return range(int(first), int(last) + 1)


def started_with(text: str) -> list[int]:
    """Return the processes with ``text`` in their environment: a server and its descendants, daemons included."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if text.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # it has exited, or belongs to another user
    return found


def _sockets(pid: int) -> set[str]:
    inodes = set()
    try:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(handle)
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    except OSError:
        pass  # it has exited
    return inodes


def _address(text: str) -> str:
    # In 32-bit words in the machine's byte order.
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return str(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words)))
