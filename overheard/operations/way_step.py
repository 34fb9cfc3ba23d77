"""A step of an item's way, and the way. Times are seconds since the epoch; None: it is not recorded."""

from __future__ import annotations

from typing import Literal

import msgspec

StepName = Literal["read", "matched", "stored", "routed", "held", "tried", "sent", "failed"]


class WayStep(msgspec.Struct, frozen=True):
    """What happened, or where the way ended and why."""

    at: float | None
    step: StepName
    channel: str | None
    reason: str


class Way(msgspec.Struct, frozen=True):
    """The way of one item, or of a time in which there was none. ``title`` and ``facts`` say which it is."""

    title: str
    facts: tuple[str, ...]
    steps: tuple[WayStep, ...]
