"""Programs that the tests fork run as fresh ones do, and end with the test process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.servers.forks import PYTHON, ROOT, Fork, Forks, shared_forks
from tests.servers.waiting import wait_for

# Starts a program, says its process id, and waits to be killed.
VICTIM = """
import pathlib, sys, tempfile
from tests.servers.forks import Forks
with open("log", "wb") as log:
    print(Forks().start(["waits"], env={}, cwd=pathlib.Path.cwd(), output=log).pid, flush=True)
sys.stdin.read()
"""
WAITS = "import threading; threading.Event().wait()"


@pytest.fixture
def forks() -> Forks:
    return shared_forks()


def module(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)


def forked(forks: Forks, folder: Path, *args: str, env: Mapping[str, str] | None = None) -> Fork:
    with (folder / "log").open("wb") as log:
        return forks.start(args, env=env or {}, cwd=folder, output=log)


@pytest.mark.parametrize(
    "body",
    [
        "import os, sys; print(sys.argv[1:], dict(os.environ)['WHERE'], os.getcwd(), __name__)",
        "import sys; print('bad', file=sys.stderr); sys.exit(3)",
        "import atexit; atexit.register(print, 'at exit'); raise SystemExit('stopped')",
        "import sys; sys.excepthook = lambda kind, error, trace: print('hook', error); raise ValueError('a bug')",
        "import warnings; warnings.warn('old', DeprecationWarning)",
        "import subprocess; print(subprocess.run(['echo', 'a process of its own'], capture_output=True).stdout)",
        "import threading; threading.Timer(0.05, print, ['from a thread']).start()",
        "import actors, producers, overheard.cli, sys; print([name for name in sys.modules if '__main__' in name])",
        "import signal; print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGCHLD))",
        "import os; print(sorted(os.listdir('/proc/self/fd')))",
    ],
)
def test_a_fork_prints_and_returns_what_a_fresh_interpreter_does(forks: Forks, tmp_path: Path, body: str) -> None:
    module(tmp_path, "program", body)
    env = {"PATH": os.environ["PATH"], "WHERE": "here", "PYTHONUNBUFFERED": "1"}
    code = forked(forks, tmp_path, "program", "one", "two", env=env).wait(60)
    printed = (tmp_path / "log").read_text()
    with (tmp_path / "fresh").open("wb") as log:
        command = [*PYTHON, "program", "one", "two"]
        fresh = subprocess.run(
            command, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=30, check=False
        )
    assert (code, printed) == (fresh.returncode, (tmp_path / "fresh").read_text())


def test_a_fork_is_run_to_its_end_with_output_and_errors_apart(forks: Forks, tmp_path: Path) -> None:
    module(tmp_path, "both", "import sys; print('good'); print('bad', file=sys.stderr); sys.exit(2)")
    done = forks.run("both", env={}, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "good\n", "bad\n")
    module(tmp_path, "waits", WAITS)
    with pytest.raises(subprocess.TimeoutExpired):
        forks.run("waits", env={}, cwd=tmp_path, timeout=0.01)


def test_a_fork_is_waited_for_and_killed_like_a_process(forks: Forks, tmp_path: Path) -> None:
    module(tmp_path, "waits", WAITS)
    fork, other = forked(forks, tmp_path, "waits"), forked(forks, tmp_path, "waits")
    assert fork.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        fork.wait(0.01)
    fork.kill()
    assert fork.wait(60) == -signal.SIGKILL == fork.poll()
    fork.kill()  # it has ended: another process may have its id
    other.send_signal(signal.SIGTERM)
    assert other.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_fork_is_left_when_the_test_process_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    module(tmp_path, "waits", WAITS)
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert victim.stdout
    pid = int(victim.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    victim.send_signal(how)
    victim.communicate()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "its end")
