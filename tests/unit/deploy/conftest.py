"""The shell library without the rest of the server: users, services, and paths outside the test's folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.deploy.shell import ROOT, script

Shell = Callable[..., subprocess.CompletedProcess[str]]

# Changes of ownership are recorded in the file `owners`.
ASIDE = """
HERE=$1
BACKUPS=$1/backups BACKUP_MARK=$STATE/${BACKUP_MARK##*/}
for place in GRAFANA_INI GRAFANA_DEFAULTS GRAFANA_DATABASE GRAFANA_PASSWORD; do
    declare -n path=$place
    path=$1/${path##*/}
done
install() {
    [[ $1 == -o && $3 == -g && $5 == -m ]]
    echo "${@: -1} $2:$4 $6" >>"$HERE/owners"
    command install "${@:5}"
}
own() { echo "$1 $2 $3" >>"$HERE/owners"; }
service_enabled() { false; }
service_runs() { false; }
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a script after the library; ``environ`` is its environment."""

    def run(body: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*script(ASIDE + body), str(tmp_path)],
            env={"PATH": os.environ["PATH"], **environ}, cwd=ROOT, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    return run
