"""Exit commands of the scripts in deploy/ run however the script ends: going back must not stop half-way."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = """
set -euo pipefail
PROGRAM=test SOURCE=deploy
source deploy/lib/messages.sh
log=$1/log
: >"$log"

first_of_two() {
    local word rest
    while read -r word rest; do
        found=$word
        return
    done < <(printf 'one 1\\ntwo 2\\n')
}

go_back() {
    section=back
    local found
    first_of_two
    step "go back to $found" echo it is so
    echo "back at $found"
}

work() {
    local deep=1
    die_with_log "it failed" "a hint"
}

on_exit "echo the last"
on_exit "false; echo unreached"
on_exit go_back
work
"""


def test_all_exit_commands_run_although_one_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "test", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines() == ["back at one", "the last"]
    assert "it failed" in done.stderr
    assert "go back to one" in done.stderr
    assert "pop_var_context" not in done.stderr
    assert (tmp_path / "log").read_text().endswith("it is so\n")
