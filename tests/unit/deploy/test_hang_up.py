"""Who started an upgrade may be gone before it ends: an ssh connection that was cut, a pager that was left."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.unit.deploy.shell import ROOT, script

WORK = """
go_back() {
    say "going back"
    step "go back" touch "$1/back"
    say "went back"
}
folder=$1
on_exit "go_back '$folder'"
step "wait until nobody listens" sh -c "touch '$1/begun'; read -r line <'$1/gone'"
report "nobody listens"
"""
ENDINGS = {"it goes through": 'off_exit; touch "$1/through"', "it fails": 'die_with_log "it failed" "a hint"'}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_terminal_that_is_gone_stops_nothing(tmp_path: Path, ending: str) -> None:
    os.mkfifo(tmp_path / "gone")
    terminal, its = os.openpty()
    command = ["setsid", "--ctty", *script(WORK + ENDINGS[ending]), str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=its, stdout=its, stderr=its)
    os.close(its)
    with open(terminal, "rb", buffering=0) as screen:
        while b"until nobody listens" not in screen.read(4096):
            pass
    # The kernel sends SIGHUP to the foreground processes; to be sure, once more.
    process.send_signal(signal.SIGHUP)
    code = let_go_on(process, tmp_path)
    told = (tmp_path / "log").read_text()
    assert "nobody listens" in told
    if ending == "it fails":
        assert code == 1
        assert (tmp_path / "back").exists()
        assert "went back" in told
    else:
        assert code == 0
        assert (tmp_path / "through").exists()


def test_a_closed_pipe_stops_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gone")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [*script(WORK + ENDINGS["it fails"]), str(tmp_path)], cwd=ROOT, stdout=writer, stderr=writer
    )
    os.close(writer)
    os.close(reader)
    assert let_go_on(process, tmp_path) == 1
    assert (tmp_path / "back").exists()
    assert "went back" in (tmp_path / "log").read_text()


def let_go_on(process: subprocess.Popen[bytes], folder: Path) -> int:
    """Write what the step waits for, whether or not it has come so far; the script's exit code."""
    gone = os.open(folder / "gone", os.O_RDWR)  # which waits for no reader
    os.write(gone, b"go on\n")
    try:
        return process.wait(timeout=60)
    finally:
        os.close(gone)
