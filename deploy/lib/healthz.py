"""Check every process that supervisord has, and the /healthz of Overheard's. Print a line for each unhealthy process.

usage: healthz.py METRICS_PORT EXCUSED HOST    (EXCUSED: programs that need not run, such as `fetch:|digest:`)

supervisord's URL is in SUPERVISOR_SERVER_URL. The installer always passes `none` as EXCUSED. The argument stays,
because an upgrade that goes back runs the old release's copy of this script with the same arguments; it can go once
every release that can be upgraded from does without it.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

from overheard.errors import Unavailable
from overheard.programs import PROGRAMS
from overheard.supervisord import URL_VARIABLE, processes

ANSWER_SECONDS = 5.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # ignore proxies of the environment


def main(port: int, excused: set[str], host: str) -> None:
    try:
        supervised = processes(os.environ[URL_VARIABLE])
    except Unavailable as error:
        sys.stdout.write(f"{error}\n")
        return
    for process in supervised:
        if process.group in excused:
            continue
        if process.statename != "RUNNING":
            sys.stdout.write(f"{process.full_name} is {process.statename}\n")
        elif process.group in PROGRAMS:
            address = f"{host}:{port + PROGRAMS[process.group].port + process.number}"
            if problem := unhealthy(f"http://{address}/healthz"):
                sys.stdout.write(f"{process.full_name}: {problem} ({address})\n")


def unhealthy(url: str) -> str | None:
    """Return what is wrong with a process; None if it is healthy."""
    try:
        with DIRECT.open(url, timeout=ANSWER_SECONDS):
            return None
    except urllib.error.HTTPError as answer:
        with answer:
            return "; ".join(answer.read().decode("utf-8", "replace").split("\n")[:3])
    except OSError as error:
        return f"does not answer: {error}"


if __name__ == "__main__":
    main(int(sys.argv[1]), set(sys.argv[2].replace(":", "").split("|")), sys.argv[3])
