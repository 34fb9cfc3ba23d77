"""A private Prometheus with the rules and scrape jobs that we ship, a node exporter beside it, and what lists targets.

Only addresses and intervals differ from the shipped configuration. All of it dies with the test process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import yaml

from tests.servers.ports import free_ports
from tests.servers.rabbitmq import reachable, wait_for

SHIPPED = Path(__file__).parents[2] / "deploy/prometheus"


class PrometheusServer:
    """Scrapes ``targets`` (port → program) every second, as if supervisord's watcher had named them."""

    def __init__(self, folder: Path, *, targets: Mapping[int, str], rabbit_port: int) -> None:
        for program in ("prometheus", "prometheus-node-exporter"):
            if not shutil.which(program):
                raise RuntimeError(f"{program} is not installed here; run: deploy/install --test")
        self.folder = folder
        self.port, self.node_port = free_ports(2)
        self.rabbit_port = rabbit_port
        self._discovery = Discovery(targets)
        self._processes: list[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        path = self.folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(self.configuration()))
        self._spawn("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{self.node_port}")
        self._spawn(
            "prometheus",
            f"--config.file={path}",
            f"--storage.tsdb.path={self.folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        )
        wait_for(lambda: self._ready() and reachable(self.node_port), "Prometheus", 30)
        return self

    def __exit__(self, *_: object) -> None:
        self._discovery.close()
        for process, guard in self._processes:
            process.kill()
            process.wait()
            assert guard.stdin
            guard.stdin.close()
            guard.wait(10)

    def configuration(self) -> dict[str, Any]:
        """The shipped one, with this test's addresses."""
        shipped: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
        shipped["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        shipped["rule_files"] = [str(SHIPPED / pattern) for pattern in shipped["rule_files"]]
        own = {"rabbitmq": self.rabbit_port, "node": self.node_port, "prometheus": self.port}
        for job in shipped["scrape_configs"]:
            if job["job_name"] in own:
                job["static_configs"] = [{"targets": [f"127.0.0.1:{own[job['job_name']]}"]}]
            else:
                (found,) = job["http_sd_configs"]
                assert found["url"] == "http://127.0.0.1:9408/targets"
                job["http_sd_configs"] = [{"url": self._discovery.url, "refresh_interval": "1s"}]
        return shipped

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        return list(self.api("query", query=expr)["result"])

    def api(self, path: str, **parameters: str) -> Any:
        """The data of Prometheus' answer; what it says of a bad query is raised."""
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


class Discovery:
    """Lists the targets in the form of Prometheus' HTTP service discovery."""

    def __init__(self, targets: Mapping[int, str]) -> None:
        listed = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"program": program}} for port, program in targets.items()
        ]
        body = json.dumps(listed).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Requests are no events."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/targets"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
