"""Signatures and secrets of Standard Webhooks 1.0 (https://www.standardwebhooks.com, symmetric ``v1``)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from overheard.errors import InvalidInput

PREFIX = "whsec_"
KEY_MIN_BYTES, KEY_MAX_BYTES = 24, 64  # from the specification


def new_secret() -> str:
    """Return a secret of 32 random bytes, in the form that receivers' libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """Return the key in ``secret``, with or without ``whsec_``. Raises InvalidInput, which never shows the secret."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not KEY_MIN_BYTES <= len(key) <= KEY_MAX_BYTES:
        raise InvalidInput(
            f"secret: it must be {KEY_MIN_BYTES} to {KEY_MAX_BYTES} random bytes in base64 ({PREFIX}…); "
            "leave it out and one is made"
        )
    return key


def headers(key: bytes, *, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers for one attempt. ``timestamp`` is in whole seconds since the epoch."""
    signed = hmac.new(key, b"%s.%d.%s" % (id.encode(), timestamp, body), hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }
