"""A private RabbitMQ: own ports, node, cookie and epmd, all on loopback; it dies with the test process.

The system's service, if there is one, is neither used nor touched. Works as root and as an ordinary user, because
the node is started from the package's own scripts rather than Debian's wrapper.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from contextlib import AbstractContextManager
from pathlib import Path

from tests.servers.freezing import frozen
from tests.servers.ports import free_ports
from tests.servers.waiting import wait_for

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
START_TIMEOUT = 120.0


class RabbitServer:
    """One node. ``url`` is vhost ``/``; ``vhost()`` creates a fresh one and returns its URL."""

    def __init__(self) -> None:
        if not (SCRIPTS / "rabbitmq-server").exists() or not shutil.which("epmd"):
            raise RuntimeError("RabbitMQ is not installed here; run: deploy/install --test")
        self.home = Path(tempfile.mkdtemp(prefix="overheard-rabbit-"))
        self.port, self.http_port, self.metrics_port, dist_port, epmd_port = free_ports(5)
        self.node = f"overheard-{uuid.uuid4().hex[:8]}@localhost"
        self._log = self.home / "server.log"
        self._sweep = f"sleep 0.2; rm -rf '{self.home}'"  # what the guard of the first process does in the end
        self._processes: list[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]] = []
        (self.home / ".erlang.cookie").write_text(uuid.uuid4().hex)
        (self.home / ".erlang.cookie").chmod(0o400)
        (self.home / "plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")
        (self.home / "advanced.config").write_text("[].\n")
        (self.home / "env.conf").write_text("")
        (self.home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.http_port}\n"
            f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self.metrics_port}\n"
            "loopback_users.guest = true\n"
            "vm_memory_high_watermark.absolute = 1GB\n"
            "disk_free_limit.absolute = 10MB\n"
            "collect_statistics_interval = 1000\n"
            "log.console = true\nlog.console.level = info\nlog.file = false\n"
        )
        self.env = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_NODE_IP_ADDRESS": "",
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_PID_FILE": str(self.home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
        }

    @property
    def url(self) -> str:
        """Return the URL of vhost ``/``."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def start(self) -> None:
        """Start the node and wait until it reports that it is ready."""
        if not self._processes:
            self._start_epmd()
        self._log.write_bytes(b"")
        self._spawn([str(SCRIPTS / "rabbitmq-server")])
        wait_for(self._ready, lambda: f"RabbitMQ, with this log:\n{self._log.read_text()[-4000:]}", START_TIMEOUT)

    def _start_epmd(self) -> None:
        port = self.env["ERL_EPMD_PORT"]
        self._spawn(["epmd", "-port", port, "-address", "127.0.0.1"])
        wait_for(lambda: reachable(int(port)), "epmd", START_TIMEOUT)

    def stop(self) -> None:
        """Stop everything and remove the files."""
        while self._processes:
            self._reap(signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)

    def kill9(self) -> None:
        """Kill the node, as in a power cut."""
        self._reap(signal.SIGKILL)

    def frozen(self) -> AbstractContextManager[None]:
        """Within the block, the node accepts connections and does not answer."""
        return frozen(self._processes[-1][0].pid)

    def restart(self) -> None:
        """Restart the node cleanly."""
        self._reap(signal.SIGTERM)
        self.start()

    def ctl(self, *args: str, given: str = "") -> str:
        """Run rabbitmqctl with ``given`` on its stdin, and return its output.

        The node is named in the environment: RabbitMQ 4 reads stdin only for a command with one argument and no option.
        """
        done = subprocess.run(
            [SCRIPTS / "rabbitmqctl", *args],
            env=self.env, input=given, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(args)}: {done.stdout}{done.stderr}")
        return done.stdout

    def set_memory_alarm(self, on: bool) -> None:
        """Raise or clear the memory alarm, and wait until it is in effect."""
        self.ctl("set_vm_memory_high_watermark", *(["0.0000001"] if on else ["absolute", "1GB"]))
        wait_for(lambda: self._alarmed() is on, "the memory alarm")

    def vhost(self) -> str:
        """Create an empty vhost and return its URL."""
        name = f"t{uuid.uuid4().hex[:10]}"
        self.api("PUT", f"/vhosts/{name}", {"default_queue_type": "classic"})
        self.api("PUT", f"/permissions/{name}/guest", {"configure": ".*", "write": ".*", "read": ".*"})
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{name}"

    def drop_vhost(self, url: str) -> None:
        """Delete a vhost with all that is in it, even while something is connected to it."""
        self.api("DELETE", f"/vhosts/{url.rsplit('/', 1)[1]}")

    def api(self, method: str, path: str, body: object = None) -> object:
        """Call the management API and return the decoded answer; None if it is empty."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/api{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def admin(self, vhost_url: str, *args: str) -> str:
        """Run rabbitmqadmin as a user would, on the vhost of that URL."""
        done = subprocess.run(
            ["rabbitmqadmin", "-H", "127.0.0.1", "-P", str(self.http_port), "-u", "guest", "-p", "guest",
             "-V", vhost_url.rsplit("/", 1)[1], *args],
            env=self.env, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        return done.stdout

    def _alarmed(self) -> bool:
        try:
            self.api("GET", "/health/checks/alarms")
        except urllib.error.HTTPError as answer:
            answer.close()
            return True
        return False

    def _ready(self) -> bool:
        if self._processes[-1][0].poll() is not None:
            raise RuntimeError(f"RabbitMQ did not start:\n{self._log.read_text()[-4000:]}")
        return b"Server startup complete" in self._log.read_bytes() and reachable(self.port)

    def _spawn(self, command: list[str]) -> None:
        """Start a process in its own group, and a guard that kills the group when this process is gone."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command, env=self.env, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        sweep = "" if self._processes else f"; {self._sweep}"  # epmd goes last
        # Our end of the pipe closes when this process dies, however it dies.
        guard = subprocess.Popen(
            ["/bin/sh", "-c", f"cat >/dev/null; kill -9 -{process.pid}{sweep}"],
            stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._processes.append((process, guard))

    def _reap(self, how: signal.Signals) -> None:
        process, guard = self._processes.pop()
        if process.poll() is None:
            if how is signal.SIGKILL:
                os.killpg(process.pid, how)  # the script and the node under it
            else:
                os.kill(process.pid, how)  # the script passes it on and waits
        process.wait(timeout=60)
        assert guard.stdin
        guard.stdin.close()  # the guard sweeps up what is left of the group
        guard.wait(timeout=60)


def reachable(port: int) -> bool:
    """Return True if a port is in use."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
