"""Check what a client asks for, strictly, and find where its stream begins."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from .event_log import EventLog, LoggedEvent

V1_PATH = "/subscribe"
V2_PATH = "/xrpc/network.bsky.jetstream.subscribeEvents"
FIRST_TIME_CURSOR = 10**15  # smaller ones are sequence numbers

_V1_PARAMETERS = {"wantedCollections", "wantedDids", "maxMessageSizeBytes", "cursor", "compress", "requireHello"}
_V2_PARAMETERS = {"collections", "kinds", "dids", "cursor", "maxMessageSizeBytes"}
_KINDS = {"commit", "identity", "account", "sync"}
_COLLECTION = re.compile(r"[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+(\.\*)?")


class RefusedSubscription(Exception):
    """The request is answered with a status and a body instead of a stream."""

    def __init__(self, status: int, name: str, message: str, *, v2: bool) -> None:
        self.status = status
        self.body = json.dumps({"error": name, "message": message}) if v2 else message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Subscription:
    """`start`: the number of the first event. `outdated`: the client has to be told that it begins too late for it."""

    v2: bool
    start: int
    collections: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    dids: tuple[str, ...] = ()
    outdated: bool = False

    def wants(self, event: LoggedEvent) -> bool:
        if (self.dids and event.did not in self.dids) or (self.kinds and event.kind not in self.kinds):
            return False
        if event.kind != "commit" or not self.collections:
            return True  # v1 sends events of accounts whatever the collections
        return any(_matches(event.body["collection"], wanted) for wanted in self.collections)


def _matches(collection: str, wanted: str) -> bool:
    return collection.startswith(wanted[:-1]) if wanted.endswith("*") else collection == wanted


def subscription(target: str, log: EventLog, now: float) -> Subscription:
    """Return the subscription that the request's target asks for. Raises RefusedSubscription."""
    parts = urlsplit(target)
    v2 = parts.path == V2_PATH
    given = parse_qs(parts.query, keep_blank_values=True)
    known = _V2_PARAMETERS if v2 else _V1_PARAMETERS
    if unknown := sorted(given.keys() - known):
        raise RefusedSubscription(400, "InvalidRequest", f"unknown parameter: {unknown[0]}", v2=v2)
    collections = tuple(given.get("collections" if v2 else "wantedCollections", ()))
    if len(collections) > 100 or not all(map(_COLLECTION.fullmatch, collections)):
        raise RefusedSubscription(400, "InvalidRequest", "invalid collections", v2=v2)
    kinds = tuple(given.get("kinds", ()))
    if not _KINDS.issuperset(kinds) or (collections and kinds and "commit" not in kinds):
        raise RefusedSubscription(400, "InvalidRequest", "invalid kinds", v2=v2)
    start, outdated = _start(given.get("cursor", [""])[0], log, now, v2=v2)
    dids = tuple(given.get("dids" if v2 else "wantedDids", ()))
    return Subscription(v2, start, collections, kinds, dids, outdated)


def _start(cursor: str, log: EventLog, now: float, *, v2: bool) -> tuple[int, bool]:
    if not cursor:
        return log.next_seq(), False
    if not re.fullmatch(r"[0-9]{1,19}", cursor):
        raise RefusedSubscription(400, "InvalidRequest", f"invalid cursor: {cursor!r}", v2=v2)
    number, floor = int(cursor), log.floor()
    if number < FIRST_TIME_CURSOR:
        if number >= log.next_seq():
            return log.next_seq(), False  # in the future: what comes from now on
        if number < floor and v2:
            raise RefusedSubscription(400, "CursorTooOld", f"cursor {number} below lookback floor {floor}", v2=v2)
        return max(number, floor), False
    if number > now * 1e6:
        return log.next_seq(), False
    return max(log.seq_at(number), floor), v2 and number < (now - log.look_back) * 1e6
