from __future__ import annotations

import pytest
from dramatiq.middleware import TimeLimitExceeded

from overheard.bus.retry_policy import Republication, decide
from overheard.errors import (
    ChannelGone,
    ConfigError,
    FeedRefused,
    InvalidInput,
    NotFound,
    PermanentError,
    RetryableError,
    Unavailable,
)
from overheard.outcomes import Rejected
from overheard.stages import STAGES

STAGE = STAGES["notify"]


def decision(error: BaseException, **options: object) -> Republication | Rejected:
    return decide(error, dict(options), STAGE)


@pytest.mark.parametrize(
    "error",
    [
        PermanentError("no"),
        FeedRefused("private", ("a",)),
        ChannelGone("no"),
        InvalidInput("no"),
        NotFound("no"),
        ConfigError(["no"]),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_permanent_error_is_rejected_at_once(error: Exception) -> None:
    found = decision(error)
    assert isinstance(found, Rejected)
    assert found.reason == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("error", [ValueError("x"), Unavailable("x"), TimeLimitExceeded()], ids=repr)
def test_any_other_error_is_retried_with_jitter(error: BaseException) -> None:
    delays = set()
    for _ in range(50):
        found = decision(error, retries=2, slot=1.0, slot_key="reddit")
        assert isinstance(found, Republication)
        assert found.options == {"retries": 3}  # the slot was spent
        delays.add(found.delay)
    assert all(4_000 <= delay <= 8_000 for delay in delays)
    assert len(delays) > 10


def test_backoff_stays_under_five_minutes() -> None:
    found = decide(ValueError(), {"retries": 30}, type(STAGE)(**{**_fields(), "max_retries": 99, "max_backoff": 10**9}))
    assert isinstance(found, Republication)
    assert 150_000 <= found.delay <= 300_000


def test_the_other_sides_delay_is_honoured_and_bounded() -> None:
    for asked, given in ((1.2345, 1_235), (0, 0), (-3, 0), (7200, 300_000)):
        found = decision(RetryableError("busy", delay=asked))
        assert isinstance(found, Republication)
        assert found.delay == given


def test_rejected_when_no_tries_are_left() -> None:
    assert isinstance(decision(ValueError("x"), retries=STAGE.max_retries - 1), Republication)
    found = decision(ValueError("x"), retries=STAGE.max_retries)
    after = f"(after {STAGE.max_retries + 1} tries)"
    assert found == Rejected(f"ValueError {after}"), "a foreign error's text may quote an item"
    assert decision(RetryableError("busy"), retries=STAGE.max_retries) == Rejected(f"RetryableError: busy {after}")


def _fields() -> dict[str, object]:
    return {name: getattr(STAGE, name) for name in STAGE.__struct_fields__}
