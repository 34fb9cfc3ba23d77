"""Tells Prometheus where each process serves its metrics: HTTP service discovery.

https://prometheus.io/docs/prometheus/latest/http_sd/
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from overheard.stages import PORT_OFFSETS
from overheard.supervision.rpc import Process

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 (to recognise it, not to listen on it)


class Target(msgspec.Struct, frozen=True):
    """One entry of the list that Prometheus reads."""

    targets: tuple[str, ...]
    labels: dict[str, str]


def targets(processes: Iterable[Process], host: str, base: int) -> list[Target]:
    """One for each process of ours, running or not: what is down must show as ``up == 0``, not be missing.

    ``host`` and ``base`` are ``[metrics]`` host and port.
    """
    return [
        Target((f"{_reachable(host)}:{base + PORT_OFFSETS[process.program] + process.number}",), _labels(process))
        for process in sorted(processes, key=lambda process: (process.program, process.number))
        if process.program in PORT_OFFSETS
    ]


def _labels(process: Process) -> dict[str, str]:
    return {"program": process.program}


def _reachable(host: str) -> str:
    if host in EVERYWHERE:
        return "127.0.0.1"  # Prometheus is on this machine
    return f"[{host}]" if ":" in host else host
