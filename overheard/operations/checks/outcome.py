"""The outcome of a check."""

from __future__ import annotations

from typing import Literal

import msgspec


class CheckOutcome(msgspec.Struct, frozen=True):
    """``remedy`` says how to fix it. ``ready``: later checks may use what was checked (the database)."""

    status: Literal["ok", "warning", "failed"]
    message: str
    remedy: str | None = None
    ready: bool = False
