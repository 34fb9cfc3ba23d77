"""Programs of Overheard that fork from one process, which has imported everything: most of a short program's cost.

As importing does no work here, a fork does what a fresh interpreter does. Three things differ: it shares memory with
the server, its command line in /proc is the server's, and what importing prints is not in its output. A test that is
about these starts the interpreter itself.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from tests.servers.fork_server import Program

ROOT = Path(__file__).parents[2]
PYTHON = [sys.executable, "-W", "default", "-m"]


class Fork:
    """A forked program, to be used as ``subprocess.Popen`` is."""

    def __init__(self, args: Sequence[str], status: socket.socket) -> None:
        self.args = args
        self.returncode: int | None = None
        self._status = status
        self.pid = self._answer()

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code; if negative, the signal. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = self._answer()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
            self._status.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _answer(self) -> int:
        answer = self._status.recv(100)
        if not answer:
            self._status.close()
            raise RuntimeError("the fork server has ended; its output is that of the tests")
        return int(answer)


class Forks:
    """The server. It starts with the first program, and dies with the test process."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*PYTHON, "tests.servers.fork_server", str(theirs.fileno())],
                env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}, cwd=ROOT, stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )  # fmt: skip

    def start(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        output: IO[Any],
        errors: IO[Any] | None = None,
    ) -> Fork:
        """Start ``python -m args…`` with its output in that file, and its errors too if they have none of their own."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = Program(args[0], list(args[1:]), dict(env), str(cwd))
        with theirs:
            request = [msgspec.json.encode(program)]
            fds = [each.fileno() for each in (output, errors or output, theirs)]
            socket.send_fds(self._control, request, fds)
        return Fork(args, ours)

    def run(
        self, *args: str, env: Mapping[str, str], cwd: Path, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m args…`` to its end, as ``subprocess.run`` does, and return what it has printed."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            fork = self.start(args, env=env, cwd=cwd, output=output, errors=errors)
            try:
                code = fork.wait(timeout)
            finally:
                fork.kill()
                fork.wait()
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(args, code, output.read(), errors.read())

    def close(self) -> None:
        """End the server, which kills what still runs."""
        self._control.close()
        self._process.wait()


@functools.cache
def shared_forks() -> Forks:
    """Return the server of this test process."""
    forks = Forks()
    atexit.register(forks.close)
    return forks
