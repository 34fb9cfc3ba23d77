"""Run parts of deploy/'s shell library in a folder instead of on the server."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
# All paths are below the folder $1 instead of below /.
PLACES = """
set -euo pipefail
PROGRAM=test SOURCE=$PWD goal=full installed=yes sqlite= arguments=
source deploy/lib/all.sh
ETC=$1/etc SECRETS=$1/etc/secrets OPERATOR=$1/etc/operator STATE=$1/state SHIPPED=$1/etc/operator/shipped
mkdir -p "$SECRETS" "$OPERATOR" "$STATE"
log=$1/log
: >"$log"
"""


def script(body: str) -> list[str]:
    """Return the command that runs ``body`` after the library. Append the folder, which is its ``$1``."""
    return ["bash", "-c", PLACES + body, "test"]


def shell(folder: Path, body: str) -> str:
    """Run ``body`` and return its output, stdout and stderr."""
    done = subprocess.run(
        [*script(body), str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr
