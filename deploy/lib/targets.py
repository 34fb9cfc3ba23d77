"""Print the processes that Prometheus has to scrape, all that supervisord has, in the format of file_sd_configs.

usage: targets.py METRICS_PORT HOST

supervisord's URL is in SUPERVISOR_SERVER_URL. A process that has exited stays in the list, so that its `up` is 0; one
that was never configured is not in it. The arguments stay as they are: an upgrade that goes back runs the old release's
copy of this script.
"""

from __future__ import annotations

import json
import os
import sys

from overheard.errors import Unavailable
from overheard.programs import PROGRAMS
from overheard.supervisord import URL_VARIABLE, processes


def main(port: int, host: str) -> None:
    try:
        supervised = [process for process in processes(os.environ[URL_VARIABLE]) if process.group in PROGRAMS]
    except Unavailable as error:
        sys.exit(str(error))
    entries = [
        {
            "targets": [f"{host}:{port + PROGRAMS[process.group].port + process.number}"],
            "labels": {"program": process.group},
        }
        for process in sorted(supervised, key=lambda process: (PROGRAMS[process.group].port, process.number))
    ]
    sys.stdout.write(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
