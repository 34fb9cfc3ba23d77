"""Canary secrets: unique strings that are recognised in whatever encoding they leak."""

from __future__ import annotations

import base64
import re
import secrets
from typing import NamedTuple


class Leak(NamedTuple):
    """``secret`` was found ``where``, with the text around it."""

    secret: str
    where: str
    around: str


class Canaries:
    """``plant`` one in every secret's place, then ``seen_in`` every output must be empty."""

    def __init__(self) -> None:
        self._forms: dict[str, re.Pattern[str]] = {}

    def plant(self, name: str) -> str:
        """Return 24 letters and digits, which URLs, JSON and shells do not change."""
        return self.known(name, secrets.token_hex(12))

    def known(self, name: str, secret: str) -> str:
        """Search for this secret, too."""
        self._forms[name] = re.compile("|".join(map(re.escape, forms(secret))), re.IGNORECASE)
        return secret

    def seen_in(self, text: str, where: str) -> list[Leak]:
        return [
            Leak(name, where, text[max(found.start() - 80, 0) : found.end() + 40])
            for name, pattern in self._forms.items()
            if (found := pattern.search(text))
        ]


def forms(secret: str) -> set[str]:
    """Yield it plain, in hex, reversed, and in base64 after any other text (as in Basic authentication)."""
    raw = secret.encode()
    found = {secret, raw.hex(), secret[::-1]}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        # The characters at both ends depend on what stands beside them.
        inner = encoded[(before * 8 + 5) // 6 : len(encoded) - 1]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return found
