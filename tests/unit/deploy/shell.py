"""Runs pieces of deploy/'s shell library by themselves, in a folder instead of on the server."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Where everything is, below the folder $1 instead of below /.
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
    """The command that runs ``body`` after the library; its ``$1`` is the folder, to be appended."""
    return ["bash", "-c", PLACES + body, "test"]


def shell(folder: Path, body: str) -> str:
    """Run it; what it printed, on either."""
    done = subprocess.run(
        [*script(body), str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr
