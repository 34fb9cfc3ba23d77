"""Serve one process's ``/metrics`` and ``/healthz``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from prometheus_client import CollectorRegistry, exposition

from overheard.errors import ConfigError
from overheard.http_server import BoundedServer

INSTANCE_HEADER = "Overheard-Instance"  # with the id of ``db.instance``: several Overheards may share a machine


class MetricsServer:
    """A small HTTP server on a thread of its own. ``problems`` returns one line for each current problem.

    ``instance`` returns the id of the process's Overheard, or an empty string while it is unknown.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        problems: Callable[[], list[str]],
        instance: Callable[[], str] = lambda: "",
    ) -> None:
        class MetricsRequestHandler(BaseHTTPRequestHandler):
            server_version, sys_version = "Overheard", ""  # do not reveal the version of Python

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    encode, content_type = exposition.choose_encoder(self.headers.get("Accept", ""))
                    self._answer(200, content_type, encode(registry))
                elif path == "/healthz":
                    lines = problems()
                    text = "\n".join(lines) if lines else "ok"
                    self._answer(503 if lines else 200, "text/plain; charset=utf-8", f"{text}\n".encode())
                else:
                    self._answer(404, "text/plain; charset=utf-8", b"/metrics or /healthz\n")

            def _answer(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                if instance_id := instance():
                    self.send_header(INSTANCE_HEADER, instance_id)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing: a scrape is not an event."""

        self._handler = MetricsRequestHandler
        self._server: BoundedServer | None = None

    def start(self, host: str, port: int) -> int:
        """Listen on ``host:port`` (0: any free port); return the port. Raises ConfigError if it cannot be used."""
        try:
            self._server = BoundedServer(host, port, self._handler)
        except OSError as error:
            raise ConfigError(
                [f"[metrics] {host}:{port} cannot be used: {error.strerror}. Set [metrics] port, or --process N"]
            ) from None
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
