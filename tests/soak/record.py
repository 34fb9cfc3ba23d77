"""A record of what arrives at the receiver, written as it arrives."""

from __future__ import annotations

import threading
import time

from tests.servers.farm import mentions_in
from tests.servers.sink import Answer, Request
from tests.soak.oracle import Arrival, Pair


class Record:
    """Give ``take`` to the sink as its answer: it is called once for each request, before the sender has its 200."""

    def __init__(self, secret: str) -> None:
        self.arrivals: list[Arrival] = []
        self.forged = 0
        self.seen: set[Pair] = set()
        self._secret = secret
        self._lock = threading.Lock()

    def take(self, request: Request) -> Answer:
        at = time.time()
        genuine = request.verified_by(self._secret, now=at)
        slug, id = request.path.strip("/"), request.headers["webhook-id"]
        arrived = [Arrival(slug, mention["item"], id, at) for mention in mentions_in(request.json)]
        with self._lock:
            self.forged += not genuine
            self.arrivals += arrived
            self.seen.update((slug, arrival.item) for arrival in arrived)
        return Answer()
