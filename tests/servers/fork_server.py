"""``python -m tests.servers.fork_server FD``: imports Overheard once, and forks for each program (``forks.py``).

A request on the socket FD is a ``Program`` with three file descriptors: its output, its errors, and a socket for
answers. The first answer is the process id, the second the exit code.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import msgspec

import actors
import overheard
import producers

MAINS = ("actors.__main__", "producers.__main__", "overheard.cli.__main__")  # what `python -m` runs
# Not imported: migrations have no names of modules, and simulators run with the tests.
LEFT_OUT = ("overheard.db.migrations", "overheard.simulators")
MAX_REQUEST_BYTES = 100_000


class Program(msgspec.Struct, frozen=True):
    """What ``python -m`` runs, in which folder and environment."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str

    def run(self) -> None:
        """Run it as ``python -m`` would: it ends with its own exit code, or its own traceback."""
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.path[0] = self.folder
        sys.argv = [self.module, *self.arguments]
        runpy.run_module(self.module, run_name="__main__", alter_sys=True)


class ForkServer:
    """Serve requests until the other end of the socket closes, then kill what still runs."""

    def __init__(self, control: socket.socket) -> None:
        """Ignore Ctrl-C, which is for the tests and the programs."""
        self._control = control
        # A shell's background job ignores it, and so do the programs that it starts.
        self._interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> Program | None:
        """Return a program in the process that is to run it; at the end return None."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._control:
                    self._ended(key)
                    continue
                request, received, *_ = socket.recv_fds(self._control, MAX_REQUEST_BYTES, 3)
                if not request:
                    self._stop()
                    return None
                if self._fork(*received):
                    return msgspec.json.decode(request, type=Program)

    def _fork(self, output: int, errors: int, status: int) -> bool:
        """Return True in the new process."""
        answers = socket.socket(fileno=status)
        if pid := os.fork():
            os.close(output)
            os.close(errors)
            answers.send(str(pid).encode())
            self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, answers))
            return False
        signal.signal(signal.SIGINT, self._interrupt)
        answers.close()
        for given, standard in ((output, 1), (errors, 2)):
            os.dup2(given, standard)
            os.close(given)
        for _, fd, _, data in self._programs():
            os.close(fd)
            data[1].close()
        self._selector.close()
        self._control.close()
        return True

    def _ended(self, key: selectors.SelectorKey) -> None:
        pid, answers = key.data
        self._selector.unregister(key.fileobj)
        os.close(key.fd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with answers, suppress(BrokenPipeError):  # nothing waits for it any more
            answers.send(str(code).encode())

    def _stop(self) -> None:
        for key in self._programs():
            pid, answers = key.data
            os.kill(pid, signal.SIGKILL)
            answers.close()

    def _programs(self) -> list[selectors.SelectorKey]:
        return [key for key in self._selector.get_map().values() if key.data]


def modules() -> Iterator[str]:
    """Yield all modules, even those that programs import when they need them; not MAINS, which runpy imports."""
    for package in (overheard, actors, producers):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name not in MAINS and not found.name.startswith(LEFT_OUT):
                yield found.name


def main() -> None:
    """Import, then serve."""
    with socket.socket(fileno=int(sys.argv[1])) as control:
        server = ForkServer(control)
        for name in modules():
            importlib.import_module(name)
        assert threading.active_count() == 1, "a fork has no other threads"
        gc.collect()
        gc.freeze()
        program = server.serve()
    if program:
        program.run()


if __name__ == "__main__":
    main()
