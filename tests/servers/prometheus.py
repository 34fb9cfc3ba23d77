"""A private Prometheus with the shipped rules and scrape jobs, and a node exporter.

Only addresses and intervals differ from the shipped configuration. All of it dies with the test process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

import yaml

from tests.servers.ports import free_ports
from tests.servers.rabbitmq import reachable
from tests.servers.waiting import wait_for

SHIPPED = Path(__file__).parents[2] / "deploy/prometheus"


class PrometheusServer:
    """A server that scrapes the processes in the file ``targets`` every two seconds."""

    def __init__(self, folder: Path, *, targets: Path, rabbit_port: int) -> None:
        for program in ("prometheus", "prometheus-node-exporter"):
            if not shutil.which(program):
                raise RuntimeError(f"{program} is not installed here; run: deploy/install --test")
        self.folder = folder
        self.port, self.node_port = free_ports(2)
        self.targets = targets
        self.rabbit_port = rabbit_port
        self._processes: list[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        path = self.folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(self.configuration()))
        self._spawn(
            "prometheus-node-exporter",
            f"--web.listen-address=127.0.0.1:{self.node_port}",
            f"--collector.textfile.directory={self.folder}",
        )
        self._spawn(
            "prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={self.folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        )
        wait_for(
            lambda: self._ready() and reachable(self.node_port),
            lambda: f"Prometheus, with this log:\n{self.log()[-3000:]}",
        )
        return self

    def __exit__(self, *_: object) -> None:
        for process, guard in self._processes:
            process.kill()
            process.wait()
            assert guard.stdin
            guard.stdin.close()
            guard.wait(60)

    def configuration(self) -> dict[str, Any]:
        """Return the shipped configuration with this test's addresses."""
        shipped: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
        shipped["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
        shipped["rule_files"] = [str(SHIPPED / pattern) for pattern in shipped["rule_files"]]
        own = {"rabbitmq": self.rabbit_port, "node": self.node_port, "prometheus": self.port}
        for job in shipped["scrape_configs"]:
            if job["job_name"] in own:
                job["static_configs"] = [{"targets": [f"127.0.0.1:{own[job['job_name']]}"]}]
            else:
                (found,) = job["file_sd_configs"]
                assert found == {"files": ["/etc/overheard/targets.json"]}
                job["file_sd_configs"] = [{"files": [str(self.targets)], "refresh_interval": "1s"}]
        return shipped

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        return list(self.api("query", query=expr)["result"])

    def api(self, path: str, **parameters: str) -> Any:
        """Return the data of Prometheus' answer. Raises its error for an invalid query."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{parameters}: {refusal.read().decode()}") from None

    def log(self) -> str:
        return (self.folder / "prometheus.log").read_text()

    def _ready(self) -> bool:
        for process, _ in self._processes:
            assert process.poll() is None, f"{process.args} has ended:\n{self.log()[-3000:]}"
        if not reachable(self.port):
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                return True
        except urllib.error.HTTPError as starting:
            starting.close()
            return False

    def _spawn(self, program: str, *args: str) -> None:
        with (self.folder / f"{program}.log").open("ab") as log:
            process = subprocess.Popen([program, *args], stdout=log, stderr=log)
        # Our end of the pipe closes when this process dies, however it dies.
        guard = subprocess.Popen(
            ["/bin/sh", "-c", f"cat >/dev/null; kill -9 {process.pid} 2>/dev/null"],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._processes.append((process, guard))
