"""Bodies that must become dead letters and never stall a queue: name → (body, part of the reason)."""

from __future__ import annotations

import json
import pickle
from typing import Any

GOOD: dict[str, Any] = {
    "queue_name": "notify",
    "actor_name": "notify",
    "args": [{"channel_id": 7}],
    "kwargs": {},
    "options": {},
    "message_id": "good",
    "message_timestamp": 1_700_000_000_000,
}


def bent(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def without(key: str) -> bytes:
    return json.dumps({name: value for name, value in GOOD.items() if name != key}).encode()


DEEP = b"[" * 100_000 + b"]" * 100_000

MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "truncated"),
    "not JSON": (b"hello", "invalid character"),
    "not UTF-8": (bent(message_id="X").replace(b'"X"', b'"\xff\xfe"'), "utf-8"),
    "pickle": (pickle.dumps(GOOD), "invalid character"),
    "array": (b"[1, 2]", "Expected `object`, got `array`"),
    "bare event": (b'{"workspace": "acme"}', "unknown field `workspace`"),
    "options null": (bent(options=None), "$.options"),
    "options unknown": (bent(options={"pipe_target": "x"}), "unknown field `pipe_target` - at `$.options`"),
    "retries text": (bent(options={"retries": "3"}), "$.options.retries"),
    "retries negative": (bent(options={"retries": -1}), "$.options.retries"),
    "eta null": (bent(options={"eta": None}), "$.options.eta"),
    "actor a number": (bent(actor_name=5), "$.actor_name"),
    "actor unknown": (bent(actor_name="nobody"), "want 'notify', got 'nobody'"),
    "queue unknown": (bent(queue_name="elsewhere"), "no stage has a queue 'elsewhere'"),
    "queue XQ": (bent(queue_name="notify.XQ"), "no stage has a queue 'notify.XQ'"),
    "no id": (without("message_id"), "missing required field `message_id`"),
    "extra key": (bent(extra=1), "unknown field `extra`"),
    "args empty": (bent(args=[]), "$.args"),
    "args two": (bent(args=[{"channel_id": 1}, 2]), "$.args"),
    "arg not an object": (bent(args=[7]), "at `$.args[0]`"),
    "arg of another version": (bent(args=[{"channel_id": 1, "v": 3}]), "$.args[0].v"),
    "arg invalid": (bent(args=[{"channel_id": 0}]), "$.args[0].channel_id"),
    "kwargs": (bent(kwargs={"a": 1}), "$.kwargs"),
    "too deep": (json.dumps(GOOD).encode().replace(b'{"channel_id": 7}', DEEP), "nested too deeply"),
    "NaN": (bent(options={"slot": float("nan")}), "invalid"),
    "two documents": (json.dumps(GOOD).encode() * 2, "trailing characters"),
}
