from __future__ import annotations

import pytest
from dramatiq.middleware import TimeLimitExceeded

from overheard.bus.verdict import Again, LetGo, Park, Verdict, held_slot, judge
from overheard.errors import (
    ChannelGone,
    ConfigError,
    FeedRefused,
    InvalidInput,
    NotFound,
    Permanent,
    Postponed,
    TryAgain,
    Unavailable,
)
from overheard.messages import NotifyChannel
from overheard.stages import STAGES

STAGE = STAGES["notify"]


def verdict(error: BaseException, **options: object) -> Verdict:
    return judge(error, dict(options), STAGE, "trace")


@pytest.mark.parametrize(
    "error",
    [
        Permanent("no"),
        FeedRefused("private", ("a",)),
        ChannelGone("no"),
        InvalidInput("no"),
        NotFound("no"),
        ConfigError(["no"]),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_hopeless_is_parked_at_once(error: Exception) -> None:
    found = verdict(error)
    assert isinstance(found, Park)
    assert found.reason == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("error", [ValueError("x"), Unavailable("x"), TimeLimitExceeded()], ids=repr)
def test_anything_else_is_tried_again_with_jitter(error: BaseException) -> None:
    delays = set()
    for _ in range(50):
        found = verdict(error, retries=2, slot=1.0, slot_key="reddit")
        assert isinstance(found, Again)
        assert found.outcome == "retried"
        assert found.options.keys() == {"retries", "traceback", "requeue_timestamp"}  # the slot was spent
        assert found.options["retries"] == 3
        delays.add(found.delay)
    assert all(4_000 <= delay <= 8_000 for delay in delays)
    assert len(delays) > 10


def test_backoff_stays_under_five_minutes() -> None:
    found = judge(
        ValueError(), {"retries": 30}, type(STAGE)(**{**_fields(), "max_retries": 99, "max_backoff": 10**9}), ""
    )
    assert isinstance(found, Again)
    assert 150_000 <= found.delay <= 300_000


def test_the_other_sides_delay_is_honoured_and_bounded() -> None:
    for asked, given in ((1.2345, 1_235), (0, 0), (-3, 0), (7200, 300_000)):
        found = verdict(TryAgain("busy", delay=asked))
        assert isinstance(found, Again)
        assert found.delay == given


def test_parked_when_no_tries_are_left() -> None:
    assert isinstance(verdict(ValueError("x"), retries=STAGE.max_retries - 1), Again)
    found = verdict(ValueError("x"), retries=STAGE.max_retries)
    assert found == Park(f"ValueError (after {STAGE.max_retries + 1} tries)"), (
        "a foreign error's text may quote an item"
    )
    assert verdict(TryAgain("busy"), retries=STAGE.max_retries) == Park(
        f"TryAgain: busy (after {STAGE.max_retries + 1} tries)"
    )


def test_postponed_uses_no_retry_and_holds_its_slot() -> None:
    found = verdict(Postponed("reddit", delay=1.0001, slot=99.5), retries=STAGE.max_retries, traceback="old", slot=1.0)
    assert isinstance(found, Again)
    assert (found.outcome, found.delay, found.message) == ("postponed", 1_001, None)
    assert found.options == {"retries": STAGE.max_retries, "traceback": "old", "slot": 99.5, "slot_key": "reddit"}
    assert held_slot(found.options) == ("reddit", 99.5)
    assert held_slot({}) is None


def test_postponed_may_bring_the_message_to_resume_with() -> None:
    error = Postponed("reddit", delay=1, slot=2.0)
    error.resume = NotifyChannel(channel_id=2)  # type: ignore[attr-defined]
    found = verdict(error)
    assert isinstance(found, Again)
    assert found.message == NotifyChannel(channel_id=2)


@pytest.mark.parametrize(("delay", "slot"), [(5, None), (300.1, 7.0)])
def test_a_long_wait_is_not_for_the_bus(delay: float, slot: float | None) -> None:
    assert verdict(Postponed("reddit", delay=delay, slot=slot)) == LetGo()


def _fields() -> dict[str, object]:
    return {name: getattr(STAGE, name) for name in STAGE.__struct_fields__}
