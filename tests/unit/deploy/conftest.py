"""Runs what deploy/lib/ consists of, in a folder of the test's own and without its users."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
Shell = Callable[..., subprocess.CompletedProcess[str]]

# Constants that are paths lead into the folder; what files would be given away goes to the file `owners`.
PREAMBLE = """
set -euo pipefail
PROGRAM=test SOURCE=$PWD goal=full installed=yes dry_run= sqlite=
HERE=$1 log=$1/log
: >"$log"
for library in deploy/lib/*.sh; do
    [[ $library == */layout.sh ]] || libraries+=" $library"
done
for library in deploy/lib/layout.sh $libraries; do
    source <(sed -E "s|^([A-Z_]+)=/|\\1=$HERE/|" "$library")
done
mkdir -p "$ETC/operator" "$ETC/secrets" "$STATE"
install() {
    [[ $1 == -o && $3 == -g && $5 == -m ]]
    echo "${@: -1} $2:$4 $6" >>"$HERE/owners"
    command install "${@:5}"
}
own() { echo "$1 $2 $3" >>"$HERE/owners"; }
has_systemd() { false; }
service_enabled() { false; }
service_runs() { false; }
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs a script after all libraries; ``environ`` are variables of its environment."""

    def run(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", PREAMBLE + script, "test", str(tmp_path)],
            env={"PATH": os.environ["PATH"], **environ}, cwd=ROOT, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    return run
