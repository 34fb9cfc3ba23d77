"""An example webhook receiver: checks signatures (Standard Webhooks), drops repeats by id, hands on the event."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from overheard.channels.signing import headers, key_of


class Receiver:
    """Listens on a free port of this machine; ``received`` gets each event's JSON once, however often it is sent."""

    def __init__(self, secret: str, received: Callable[[dict[str, Any]], None]) -> None:
        seen: set[str] = set()
        key = key_of(secret)
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                identity = self.headers.get("webhook-id", "")
                moment = int(self.headers.get("webhook-timestamp", 0))
                wanted = headers(key, id=identity, timestamp=moment, body=body)["webhook-signature"]
                if self.headers.get("webhook-signature") != wanted:
                    self._answer(401)
                    return
                with lock:
                    new = identity not in seen
                    seen.add(identity)
                    if new:
                        received(msgspec.json.decode(body))
                self._answer(204)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """The demo shows the mention itself."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        """Where to send."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
