"""Public events, which any AMQP client in any language may publish.

The routing key is the event's type, the body a JSON object. The reason of a rejection tells the publisher, usually a
person, what to change.
"""

from __future__ import annotations

import json
import re
import uuid
from contextlib import suppress
from typing import Any

import msgspec

from overheard.errors import InvalidInput
from overheard.sources.registry import SOURCES, watchable

EVENT_MAX_BYTES = 64 * 1024
MAX_TEXT = 200  # characters
MAX_ID = 2**63 - 1
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
NAMESPACE = uuid.UUID("5f0c9a0e-6c55-5c0b-9c57-0f6d8a3b7c11")  # of message ids; never changes


class PublicEvent(msgspec.Struct, frozen=True):
    """``event_id`` is chosen by the publisher: two events with the same one are the same event."""

    event_id: str | None = None


class WorkspaceDue(PublicEvent, frozen=True):
    """Read this workspace's (slug or id) feeds now: those of one ``source``, or all."""

    workspace: str | int = ""
    reason: str = "event"
    source: str | None = None


class WorkspaceDigest(PublicEvent, frozen=True):
    """Compose this workspace's digest of the period that ended at ``period_end`` (epoch seconds; None: now)."""

    workspace: str | int = ""
    period_end: float | None = None


class ItemRecheck(PublicEvent, frozen=True):
    """Recheck the stored items of a ``source`` that are due, or one ``item`` (its id there)."""

    item: str | None = None
    source: str = "reddit"


AnyPublicEvent = WorkspaceDue | WorkspaceDigest | ItemRecheck
TYPES: dict[str, type[AnyPublicEvent]] = {
    "workspace.due": WorkspaceDue,
    "workspace.digest": WorkspaceDigest,
    "item.recheck": ItemRecheck,
}
TYPE_OF: dict[type[PublicEvent], str] = {event: name for name, event in TYPES.items()}


def parse(routing_key: str, body: bytes) -> AnyPublicEvent:
    """Return the event. Raises InvalidInput with what is wrong with it."""
    known = TYPES.get(routing_key)
    if known is None:
        raise InvalidInput(unknown_type(routing_key))
    fields = _object(body)
    valid = sorted(known.__struct_fields__)
    if unknown := sorted(set(fields) - set(valid)):
        raise InvalidInput(f"{routing_key}: unknown key {_shown(unknown[0])}; valid: {', '.join(valid)}")
    if "workspace" in valid and "workspace" not in fields:
        raise InvalidInput(f'{routing_key}: "workspace" is missing; want {{"workspace": "its-slug"}}')
    for name, value in fields.items():
        CHECKS[name](name, value)
    event = known(**fields)
    if isinstance(event, ItemRecheck) and event.item is not None:
        source = SOURCES[event.source]
        if not source.item_id.fullmatch(event.item):
            raise InvalidInput(f'"item" is {_shown(event.item)}; want {source.item_id_words}')
    return event


def readable(body: bytes) -> dict[str, str]:
    """Return ``event_id`` and ``workspace`` (a slug) of a possibly invalid event, each only if it is well-formed."""
    result: dict[str, str] = {}
    with suppress(InvalidInput):
        fields = _object(body)
        for name in ("event_id", "workspace"):
            value = fields.get(name)
            if isinstance(value, str):
                with suppress(InvalidInput):
                    CHECKS[name](name, value)
                    result[name] = value
    return result


def encode(type: str, body: dict[str, Any]) -> tuple[bytes, str]:
    """Return the event's body and message id, for publishing. Raises InvalidInput as ``parse`` does."""
    raw = json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()
    return raw, parse(type, raw).event_id or str(uuid.uuid4())


def message_id_of(event: PublicEvent) -> str:
    """Return the id of the message that this event becomes: the same for the same ``event_id``."""
    if event.event_id is None:
        return str(uuid.uuid4())
    return str(uuid.uuid5(NAMESPACE, f"{TYPE_OF[type(event)]} {event.event_id}"))


def message_id_for(message_id: str, source: str) -> str:
    """Return the id of an event's message for one source: the same for the same event."""
    return str(uuid.uuid5(NAMESPACE, f"{message_id} {source}"))


def unknown_type(routing_key: str) -> str:
    """Return the reason to reject an event with an unknown routing key."""
    return f"no such event type {_shown(routing_key)}; valid: {', '.join(TYPES)}"


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > EVENT_MAX_BYTES:
        raise InvalidInput(f"body is {len(body)} bytes, the limit is {EVENT_MAX_BYTES}")
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"body is not JSON ({where}: {error.msg}); want an object") from None
    except RecursionError:
        raise InvalidInput("body is nested too deeply; want a flat object") from None
    except ValueError:  # Python refuses to convert a number of more than 4,300 digits
        raise InvalidInput("body holds a number that is too large") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"body is {_kind(value)}; want a JSON object")
    return value


def _no_constant(name: str) -> None:
    raise InvalidInput(f"body holds {name}, which is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise InvalidInput(f"body has the key {_shown(key)} twice")
        result[key] = value
    return result


def _workspace(name: str, value: object) -> None:
    if isinstance(value, str):
        if not SLUG.fullmatch(value):
            raise InvalidInput(
                f'"{name}": {_shown(value)} is not a slug (a-z, 0-9, _ and -, at most 63 characters; '
                "must start with a-z or 0-9)"
            )
    elif isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f'"{name}" is {_kind(value)}; want a slug, or an id as a number')
    elif not 1 <= value <= MAX_ID:
        raise InvalidInput(f'"{name}": an id is a positive number')


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidInput(f'"{name}" is {_kind(value)}; want a string')
    if not 1 <= len(value) <= MAX_TEXT:
        raise InvalidInput(f'"{name}" has {len(value)} characters; want 1 to {MAX_TEXT}')
    if any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in value):
        raise InvalidInput(f'"{name}" holds a character that cannot be stored (NUL or half of a surrogate pair)')


def _item(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise InvalidInput(f'"{name}" is {_kind(value)}; want the id of a post or comment')


def _source(name: str, value: object) -> None:
    if not isinstance(value, str) or value not in watchable():
        shown = _shown(value) if isinstance(value, str) else _kind(value)
        raise InvalidInput(f'"{name}" is {shown}; valid: {", ".join(watchable())}')


def _moment(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise InvalidInput(f'"{name}" is {_shown(str(value))}; want seconds since the epoch')


CHECKS = {
    "workspace": _workspace,
    "reason": _text,
    "event_id": _text,
    "period_end": _moment,
    "item": _item,
    "source": _source,
}


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:79] + "…")
