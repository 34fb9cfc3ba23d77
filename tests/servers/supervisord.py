"""The real supervisord with the shipped configuration, in private folders and ports, with a farm's servers."""

from __future__ import annotations

import getpass
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import xmlrpc.client
from pathlib import Path
from typing import Any, Self

from overheard import supervisord
from overheard.errors import Unavailable
from overheard.programs import PROGRAMS
from overheard.supervisord import SupervisedProcess
from tests.servers.farm import Farm
from tests.servers.ports import free_range

SHIPPED = Path(__file__).parents[2] / "deploy/supervisord/supervisord.conf"
SCRIPTS = Path(__file__).parents[2] / "deploy/lib"
SUPERVISORD = Path("/usr/bin/supervisord")
STOP_TIMEOUT = 120.0

# supervisord and all it has started are one session, which is killed when this process is gone, however it went.
GUARD = 'cat >/dev/null; pkill -KILL -s "$1"'


def free_base() -> int:
    """Return a [metrics] port with free ports for every program, as many as may belong to it."""
    return free_range(max(program.port + program.max_processes for program in PROGRAMS.values()))


class Supervised:
    """A farm's processes under supervisord. ``own`` is an operator's file in supervisord.d."""

    def __init__(self, farm: Farm, base: int, *, own: str = "") -> None:
        if not SUPERVISORD.exists():
            raise RuntimeError("supervisord is not installed here; run: deploy/install --test")
        self.farm = farm
        self.base = base
        self.home = Path(tempfile.mkdtemp(prefix="overheard-supervisord-"))  # short, for a socket's path
        self.logs = self.home / "log"
        self.conf = self.home / "supervisord.conf"
        self.own = self.home / "supervisord.d/own.conf"
        self.url = f"unix://{self.home}/supervisor.sock"
        for folder in (self.logs, self.own.parent):
            folder.mkdir()
        self.own.write_text(own)
        self.conf.write_text(placed(SHIPPED.read_text(), self.home, self.logs))
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if (process := self.farm.processes.pop("supervisord", None)) is not None:
            self._sweep()
            process.wait()
        shutil.rmtree(self.home)

    def start(self) -> None:
        """Start supervisord and wait until it answers."""
        with (self.farm.folder / "supervisord.log").open("ab") as output:
            process = subprocess.Popen(
                [SUPERVISORD, "-n", "-c", self.conf],
                env=self.farm.environment, cwd=self.home, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self.farm.processes["supervisord"] = process
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(process.pid)],
            stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.wait(lambda: self.processes(), "supervisord")

    def terminate(self) -> int:
        """Send SIGTERM, as systemd does, and return the exit code. Fails if it takes too long."""
        process = self.farm.processes.pop("supervisord")
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_TIMEOUT)
        finally:
            self._sweep()

    def _sweep(self) -> None:
        """Kill what is left of the session."""
        assert self._guard is not None
        self._guard.communicate()

    def processes(self) -> dict[str, SupervisedProcess]:
        """Return supervisord's records by name, such as ``fetch_0``; none if it does not answer."""
        try:
            return {process.name: process for process in supervisord.processes(self.url, timeout=10)}
        except Unavailable:
            return {}

    def states(self) -> dict[str, str]:
        return {name: process.statename for name, process in self.processes().items()}

    def pid(self, name: str) -> int:
        """Return the id of a process; 0 if it is not running."""
        # Asked for often, so without starting supervisorctl.
        transport = supervisord._Transport(self.url.removeprefix(supervisord.SCHEME), 10)
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
            info: Any = proxy.supervisor.getProcessInfo(f"{name.rpartition('_')[0]}:{name}")
        return int(info["pid"])

    def kill9(self, name: str) -> None:
        """Kill a process, and wait until supervisord has restarted it."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        self.wait(lambda: self.pid(name) not in (0, pid), f"another {name}")

    def ctl(self, *command: str) -> str:
        """Run supervisorctl as an operator would, and return its output."""
        done = subprocess.run(
            ["/usr/bin/supervisorctl", "-c", self.conf, *command],
            env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def get(self, port: int, path: str) -> tuple[int, str]:
        """Return status and body; (0, reason) without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()

    def script(self, name: str, *arguments: object) -> str:
        """Return the output of deploy/lib/``name``.py, which the installer runs."""
        done = subprocess.run(
            [sys.executable, SCRIPTS / f"{name}.py", str(self.base), *map(str, arguments), "127.0.0.1"],
            env={"SUPERVISOR_SERVER_URL": self.url, "PYTHONPATH": str(SCRIPTS.parents[1])},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def targets(self) -> dict[str, str]:
        """Return address → program, as Prometheus reads them."""
        found = json.loads(self.script("targets"))
        return {address: entry["labels"]["program"] for entry in found for address in entry["targets"]}

    def unhealthy(self) -> str:
        """Return a line for each process that is not running, or unhealthy."""
        return self.script("healthz", "none")

    def well(self) -> bool:
        """Return True if every process is running and healthy."""
        states = self.states()
        return bool(states) and set(states.values()) == {"RUNNING"} and not self.unhealthy()

    def answering(self) -> bool:
        """Return True if every process is healthy, although supervisord may not count it as running yet."""
        ports = [self.base + PROGRAMS[each.group].port + each.number for each in self.processes().values()]
        return bool(ports) and all(self.get(port, "/healthz")[0] == 200 for port in ports)

    def wait(self, condition: Any, what: str, seconds: float = 90) -> None:
        self.farm.wait(condition, lambda: f"{what}: {self.states()} {self.unhealthy()}\n{self.ends()}", seconds)

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()

    def ends(self) -> str:
        """Return the last lines of all logs, for a failure message."""
        return "\n".join(f"== {path.name}\n{path.read_text()[-1500:]}" for path in sorted(self.logs.glob("*.log")))


def placed(text: str, home: Path, logs: Path) -> str:
    """Return the shipped file with other folders, Python and user, and no other change."""
    for there, here in {
        "/opt/overheard/current/venv/bin/python": sys.executable,
        "/var/lib/overheard": str(home),
        "/var/log/overheard": str(logs),
        "/run/overheard": str(home),
        "user = overheard": f"user = {getpass.getuser()}",
    }.items():
        assert there in text, there
        text = text.replace(there, here)
    return text
