"""An example webhook receiver: verify the signature (Standard Webhooks), drop repeats by id, hand on the event."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from overheard.channels.signing import headers, key_of


@contextmanager
def webhook_receiver(secret: str, received: Callable[[dict[str, Any]], None]) -> Iterator[str]:
    """Listen on a free local port and yield the URL. ``received`` is called once per event with its JSON."""
    seen: set[str] = set()
    key = key_of(secret)
    lock = threading.Lock()

    class WebhookRequestHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            event_id = self.headers.get("webhook-id", "")
            timestamp = int(self.headers.get("webhook-timestamp", 0))
            expected = headers([key], id=event_id, timestamp=timestamp, body=body)["webhook-signature"]
            # In constant time: the time of an answer must not show how much of a signature is right.
            if not hmac.compare_digest(self.headers.get("webhook-signature", ""), expected):
                self._respond(401)
                return
            # Each request has its thread: the same event, sent twice at once, still counts once.
            with lock:
                if event_id not in seen:
                    seen.add(event_id)
                    received(msgspec.json.decode(body))
            self._respond(204)

        def _respond(self, status: int) -> None:
            self.send_response(status)
            # HTTP/1.1 keeps the connection open: without a length the sender would wait for more.
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: the demo shows the mention itself."""

    with ThreadingHTTPServer(("127.0.0.1", 0), WebhookRequestHandler) as server:
        # A connection that is kept alive must not delay the end of the demo.
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="receiver", daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
        server.shutdown()
