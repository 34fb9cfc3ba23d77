"""`BlueskySimulator`: the server, and what happens on Bluesky."""

from __future__ import annotations

import logging
import random
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from threading import Condition, Event, Lock, Thread
from typing import Any, Self
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from .connection import Subscriber
from .event_log import EventLog
from .faults import StreamFault, StreamFaults
from .samples import SAMPLES
from .subscriptions import V1_PATH, V2_PATH, RefusedSubscription, Subscription, subscription

POSTS = "app.bsky.feed.post"
_KEY_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"  # of record keys, which are times in base 32


class BlueskySimulator:
    """A simulated Jetstream server. Thread-safe; also a context manager that starts and stops the server.

    `look_back`: seconds for which events can be had again. `first_seq`: the number of the first event. `protocols`:
    those that it speaks; the path of another one is answered with a 404. `clock`: seconds since the epoch; `advance()`
    adds to it.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        look_back: float = 36 * 3600.0,
        protocols: tuple[str, ...] = ("v1", "v2"),
        keep: int = 200_000,
        first_seq: int | None = None,
        seed: int = 0,
    ) -> None:
        self._clock = clock
        self._ahead = 0.0
        self._protocols = protocols
        self._lock = Lock()
        self._random = random.Random(seed)
        self._keys = 0
        self._server: Server | None = None
        self._stopping = Event()
        self._scheme = "ws"
        self._connected = Condition()
        self._targets: list[str] = []
        self._open = 0
        self._wanted: WeakKeyDictionary[ServerConnection, Subscription] = WeakKeyDictionary()
        self.faults = StreamFaults()
        # Numbers go on increasing when the simulator is restarted: clients remember how far they have read.
        first = int(clock() * 1000) - 1_700_000_000_000 if first_seq is None else first_seq
        self.log = EventLog(self.now, look_back, keep, first)

    # -- what happens on Bluesky

    def add_post(self, text: str, did: str = "did:plc:simulated", *, reply_to: str | None = None, **record: Any) -> str:
        """Publish a post, or a reply; return its URI. `record` overrides fields of the post's record."""
        return self.add_posts([text], did, reply_to=reply_to, **record)[0]

    def add_posts(self, texts: list[str], did: str, *, reply_to: str | None = None, **record: Any) -> list[str]:
        """Publish posts in one commit, so that their events share one time; return their URIs."""
        commits = [self._commit("create", self._new_key(), self._record(text, reply_to) | record) for text in texts]
        self.log.append(did, "commit", commits)
        return [f"at://{did}/{POSTS}/{commit['rkey']}" for commit in commits]

    def add_sample(self) -> str:
        """Publish one invented post; return its URI."""
        with self._lock:
            text, author = self._random.choice(SAMPLES), self._random.randrange(10_000)
        return self.add_post(text, f"did:plc:sample{author:018d}")

    def edit_post(self, uri: str, text: str) -> None:
        """Replace a post's text."""
        did, key = _parts(uri)
        self.log.append(did, "commit", [self._commit("update", key, self._record(text, None))])

    def delete_post(self, uri: str) -> None:
        did, key = _parts(uri)
        self.log.append(did, "commit", [self._commit("delete", key, None)])

    def set_account(self, did: str, *, active: bool, status: str | None = None) -> None:
        """Report an account's state: deleted, takendown, suspended, deactivated … while it is not active."""
        account = {"active": active, "did": did, "seq": self.log.next_seq() + 10**9, "time": self._iso()}
        self.log.append(did, "account", [account if status is None else {**account, "status": status}])

    def set_handle(self, did: str, handle: str) -> None:
        identity = {"did": did, "handle": handle, "seq": self.log.next_seq() + 10**9, "time": self._iso()}
        self.log.append(did, "identity", [identity])

    def add_event(self, did: str, kind: str, body: dict[str, Any]) -> None:
        """Report any event, also one that the real server would not send."""
        self.log.append(did, kind, [body])

    def _record(self, text: str, reply_to: str | None) -> dict[str, Any]:
        record: dict[str, Any] = {"$type": POSTS, "createdAt": self._iso(), "langs": ["en"], "text": text}
        if reply_to is not None:
            parent = {"cid": "bafyreiainko5un5pbcdosvxpbisjnjzemojnry6nsgtdftdgslbu37kxai", "uri": reply_to}
            record["reply"] = {"parent": parent, "root": parent}
        return record

    def _commit(self, operation: str, key: str, record: dict[str, Any] | None) -> dict[str, Any]:
        commit = {"rev": self._new_key(), "operation": operation, "collection": POSTS, "rkey": key}
        if record is None:
            return commit
        return {**commit, "record": record, "cid": "bafyreicl7rzkxdrm4zz2ehbx52kuk3mvfow6p3gzfys72r5grvskxoswy4"}

    def _new_key(self) -> str:
        with self._lock:
            self._keys += 1
            number = (int(self.now() * 1e6) << 10) | (self._keys % 1024)
        return "".join(_KEY_DIGITS[(number >> shift) & 31] for shift in range(60, -1, -5))

    def _iso(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # -- the server

    def start(self, port: int = 0, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> Self:
        """Start to listen; port 0 chooses a free one. Raises OSError if the port is taken."""
        if self._server is not None:
            raise RuntimeError(f"the simulator is already running, at {self.url}")
        self._stopping.clear()
        self._scheme = "wss" if tls else "ws"
        self._server = serve(
            self._serve,
            host,
            port,
            ssl=tls,
            compression=None,
            process_request=self._answer,
            select_subprotocol=lambda _, offered: next((each for each in offered if each == "xrpc.v1.json"), None),
            ping_interval=None,
            close_timeout=1.0,
            logger=logging.Logger("bluesky simulator", logging.CRITICAL + 1),
        )
        Thread(target=self._server.serve_forever, name="bluesky simulator", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening and close all connections. Events stay."""
        server, self._server = self._server, None
        if server is not None:
            self._stopping.set()
            self.log.wake()
            server.shutdown()

    def __enter__(self) -> Self:
        return self if self._server is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        if self._server is None:
            raise RuntimeError("the simulator is not running: call start(), or use it in a with statement")
        host, port = self._server.socket.getsockname()[:2]
        return f"{self._scheme}://{host}:{port}"

    def now(self) -> float:
        """Return the simulator's time, in seconds since the epoch."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Advance the simulator's time."""
        with self._lock:
            self._ahead += seconds

    def targets(self) -> list[str]:
        """Return the path and query of each request so far, refused or not."""
        with self._connected:
            return list(self._targets)

    def wait_for_requests(self, count: int, timeout: float = 60) -> bool:
        """Wait until so many requests were made; return False on timeout (seconds)."""
        with self._connected:
            return self._connected.wait_for(lambda: len(self._targets) >= count, timeout)

    def wait_for_connections(self, count: int, timeout: float = 60) -> bool:
        """Wait until so many connections are open; return False on timeout (seconds)."""
        with self._connected:
            return self._connected.wait_for(lambda: self._open == count, timeout)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        with self._connected:
            self._targets.append(request.path)
            self._connected.notify_all()
        if (fault := self.faults.take(refusing=True)) is not None:
            return _response(fault)
        protocol = {V1_PATH: "v1", V2_PATH: "v2"}.get(urlsplit(request.path).path)
        if protocol not in self._protocols:
            return _http(404, "404 page not found\n")
        try:
            # Here, before the client knows that it is connected: it may expect all that happens from then on.
            self._wanted[connection] = subscription(request.path, self.log, self.now())
        except RefusedSubscription as refused:
            return _http(refused.status, refused.body)
        return None

    def _serve(self, connection: ServerConnection) -> None:
        self._count(1)
        try:
            fault = self.faults.take(refusing=False)
            Subscriber(connection, self._wanted[connection], self.log, fault, self._stopping).serve()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._connected:
            self._open += change
            self._connected.notify_all()


def _parts(uri: str) -> tuple[str, str]:
    did, collection, key = uri.removeprefix("at://").split("/")
    if collection != POSTS:
        raise ValueError(f"not a post: {uri}")
    return did, key


def _response(fault: StreamFault) -> Response:
    body = fault.frame if isinstance(fault.frame, str) else fault.frame.decode("latin-1")
    return _http(fault.status, body, **fault.headers)


def _http(status: int, body: str, **headers: str) -> Response:
    encoded = body.encode()
    given = Headers({"Content-Length": str(len(encoded)), "Connection": "close", **headers})
    return Response(status, HTTPStatus(status).phrase, given, encoded)
