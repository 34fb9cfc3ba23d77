"""What a check finds."""

from __future__ import annotations

from typing import Literal

import msgspec


class CheckOutcome(msgspec.Struct, frozen=True):
    """``ready``: what was checked can be used by the checks that follow."""

    sign: Literal["ok", "warning", "failed"]
    what: str
    hint: str | None = None
    ready: bool = False
