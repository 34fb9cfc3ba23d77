"""Signatures and secrets of Standard Webhooks 1.0 (https://www.standardwebhooks.com, symmetric ``v1``)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from secrets import token_bytes

from overheard.errors import InvalidInput

PREFIX = "whsec_"
KEY_MIN_BYTES, KEY_MAX_BYTES = 24, 64  # from the specification
MAX_SECRETS = 2  # the new one and the old one, until all receivers know the new one


def new_secret() -> str:
    """Return a secret of 32 random bytes, in the form that receivers' libraries take."""
    return PREFIX + base64.b64encode(token_bytes(32)).decode()


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


def keys_of(secrets: str) -> tuple[bytes, ...]:
    """Return the keys of one secret or two, with a space between them: ``whsec_NEW whsec_OLD``, while it is rotated.

    Raises InvalidInput, which never shows a secret.
    """
    keys = tuple(key_of(secret) for secret in secrets.split() or [""])
    if len(keys) > MAX_SECRETS:
        raise InvalidInput("secret: at most two, the new one and the old one; remove those that no receiver uses")
    if len(set(keys)) < len(keys):
        raise InvalidInput("secret: both are the same; write the new one and the old one")
    return keys


def headers(keys: Iterable[bytes], *, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers for one attempt, with a signature by each key.

    A receiver accepts a message of which one signature is valid. ``timestamp`` is in whole seconds since the epoch.
    """
    content = b"%s.%d.%s" % (id.encode(), timestamp, body)
    signatures = [base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
