"""Asks every process that Prometheus would scrape how it is. Prints a line for each that is not well.

usage: healthz.py METRICS_PORT EXCUSED [HOST]    (EXCUSED: names of programs, `fetch:|recheck:`, that need not be up)

HOST comes last and may be missing: an upgrade that goes back asks with the old release's copy of this.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request

WATCHER = 8  # offset of the watcher's port, which knows all processes
PATIENCE = 5.0  # seconds for an answer
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy of the environment


def main(port: int, excused: set[str], host: str = "127.0.0.1") -> None:
    watcher = f"{host}:{port + WATCHER}"
    try:
        targets = json.loads(get(f"http://{watcher}/targets"))
    except (OSError, ValueError) as error:
        sys.stdout.write(f"watcher: {watcher} does not say which processes there are: {error}\n")
        return
    for target in targets:
        program = target["labels"]["program"]
        for address in target["targets"]:
            problem = None if program in excused else ill(f"http://{address}/healthz")
            if problem:
                sys.stdout.write(f"{program}: {problem} ({address})\n")


def ill(url: str) -> str | None:
    """What is not well there; None when all is."""
    try:
        get(url)
    except urllib.error.HTTPError as answer:
        with answer:
            return "; ".join(answer.read().decode("utf-8", "replace").split("\n")[:3])
    except OSError as error:
        return f"does not answer: {error}"
    return None


def get(url: str) -> bytes:
    with DIRECT.open(url, timeout=PATIENCE) as answer:
        body: bytes = answer.read()
        return body


if __name__ == "__main__":
    main(int(sys.argv[1]), set(sys.argv[2].replace(":", "").split("|")), *sys.argv[3:])
