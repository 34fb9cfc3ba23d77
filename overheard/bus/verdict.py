"""What happens to a message whose handler raised: one pure decision, from the error's type (``overheard.errors``).

Postponed                                → a copy for the reserved slot; no retry is used
    no slot, or it is over 5 minutes off → let go of it: a sweep finds the work again in the database
Permanent, InvalidInput, NotFound,       → parked at once
ConfigError
TryAgain with a delay                    → again after that delay, at most 5 minutes
TimeLimitExceeded, anything else         → again after a jittered backoff
… and no tries left                      → parked
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
from dramatiq.common import compute_backoff, current_millis

from overheard.bus.envelope import LONGEST_DELAY
from overheard.errors import ConfigError, InvalidInput, NotFound, Permanent, Postponed, TryAgain
from overheard.faults import worded
from overheard.log import TRAVELS
from overheard.messages import Message
from overheard.stages import Stage

HOPELESS = (Permanent, InvalidInput, NotFound, ConfigError)


class Again(msgspec.Struct, frozen=True):
    """Publish a copy, ``delay`` milliseconds from now, with these options; ``message`` replaces the payload."""

    outcome: Literal["retried", "postponed"]
    delay: int
    options: dict[str, Any]
    message: Message | None = None


class Park(msgspec.Struct, frozen=True):
    """Dead-letter it."""

    reason: str


class LetGo(msgspec.Struct, frozen=True):
    """Acknowledge it; the database knows what is left to do."""


Verdict = Again | Park | LetGo


def judge(error: BaseException, options: dict[str, Any], stage: Stage, traceback: str) -> Verdict:
    """Decide. ``options`` are those of the message that failed; ``traceback`` travels with a retry."""
    if isinstance(error, Postponed):
        return _postpone(error, options)
    reason = describe(error)
    if isinstance(error, HOPELESS):
        return Park(reason)
    retries = options.get("retries", 0)
    if retries >= stage.max_retries:
        return Park(f"{reason} (after {retries + 1} tries)")
    told = {"retries": retries + 1, "traceback": traceback, "requeue_timestamp": current_millis()}
    # Not the slot: it was spent on the try that failed.
    kept = {name: options[name] for name in TRAVELS if name in options}
    return Again("retried", _backoff(error, retries, stage), kept | told)


def describe(error: BaseException) -> str:
    """Return the dead letter's reason: the error's type, and its text when it is one of ours."""
    return worded(error)


def held_slot(options: dict[str, Any]) -> tuple[str, float] | None:
    """The budget and the slot that a postponed message holds."""
    if "slot" in options and "slot_key" in options:
        return options["slot_key"], options["slot"]
    return None


def _postpone(error: Postponed, options: dict[str, Any]) -> Verdict:
    if error.slot is None or error.delay > LONGEST_DELAY:
        return LetGo()
    kept = {name: value for name, value in options.items() if name not in ("eta", "slot", "slot_key")}
    kept |= {"slot": error.slot, "slot_key": error.key}
    return Again("postponed", math.ceil(max(error.delay, 0.0) * 1000), kept, getattr(error, "resume", None))


def _backoff(error: BaseException, retries: int, stage: Stage) -> int:
    longest = int(LONGEST_DELAY * 1000)
    if isinstance(error, TryAgain) and error.delay is not None:
        return min(math.ceil(max(error.delay, 0.0) * 1000), longest)
    _, delay = compute_backoff(retries, factor=stage.min_backoff, max_backoff=min(stage.max_backoff, longest))
    return delay
