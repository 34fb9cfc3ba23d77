"""Refusing an event: why, and where that is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from overheard.bus.dead import DeadLetter, Record, bounded
from overheard.bus.door import REJECTED
from overheard.errors import InvalidInput, NotFound, Permanent, TryAgain
from overheard.log import get_logger

Handle = Callable[[str, bytes, str | None], None]  # routing key, body, message id

log = get_logger(__name__)


def outcome(handle: Handle, key: str, body: bytes, message_id: str | None) -> str | None:
    """Handle an event: None when it was, else the reason to reject it for. Raises TryAgain."""
    try:
        handle(key, body, message_id)
    except TryAgain:
        raise
    except (InvalidInput, NotFound, Permanent) as error:
        return str(error)
    except Exception as error:
        log.exception("event failed", stage="ingress", type=key, message_id=message_id)
        return f"internal error: {type(error).__name__}"
    return None


def keep(record: Record, key: str, body: bytes, message_id: str | None, reason: str) -> None:
    """Record a rejected event; on RabbitMQ it is in ``overheard.rejected`` too, until that is drained."""
    identity = message_id or hashlib.sha256(body).hexdigest()
    log.warning("event rejected", stage="ingress", type=key, message_id=identity, reason=reason)
    try:
        record(DeadLetter(identity, "ingress", REJECTED, bounded(body), reason, "", "rejected", key))
    except Exception as error:  # whatever the recorder may raise
        log.error("rejected event not recorded", stage="ingress", type=key, message_id=identity, exc_info=error)
