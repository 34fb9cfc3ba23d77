"""The frames in which events are sent, in both versions of the protocol."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from .event_log import LoggedEvent

_NSID = "network.bsky.jetstream.subscribeEvents"


def event_frame(event: LoggedEvent, *, v2: bool) -> str:
    if not v2:
        fields = {"did": event.did, "time_us": event.time_us, "kind": event.kind, event.kind: event.body}
        return json.dumps(fields)
    moment = datetime.fromtimestamp(event.time_us // 10**6, UTC).replace(microsecond=event.time_us % 10**6)
    payload: dict[str, Any] = {"$type": f"{_NSID}#{event.kind}", "seq": event.seq, "did": event.did}
    payload["time"] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    payload |= event.body if event.kind == "commit" else {event.kind: event.body}
    return json.dumps({"$type": "message", "payload": payload})


def info_frame(seq: int) -> str:
    message = f"requested timestamp cursor below retention floor; starting at seq {seq}"
    payload = {"$type": f"{_NSID}#info", "name": "OutdatedCursor", "message": message}
    return json.dumps({"$type": "message", "payload": payload})


def error_frame(name: str) -> str:
    return json.dumps({"$type": "error", "error": name, "message": "as asked for by a test"})
