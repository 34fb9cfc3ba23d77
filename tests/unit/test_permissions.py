"""deploy/rabbitmq: the processes' user may do what the code needs, and our messages are within the limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dramatiq.common import dq_name, xq_name

from overheard.bus import envelope, events
from overheard.bus.public_exchange import EXCHANGE, INGRESS, REJECTED, UNROUTED
from overheard.stages import STAGES

RABBITMQ = Path(__file__).parents[2] / "deploy/rabbitmq"
DEFAULT_EXCHANGE = "amq.default"  # what RabbitMQ calls the one without a name when it asks for permission
QUEUES = {form(stage.queue) for stage in STAGES.values() for form in (str, dq_name, xq_name)}
DOOR = {EXCHANGE, INGRESS, REJECTED, UNROUTED}
WRITTEN = {EXCHANGE, INGRESS, UNROUTED, DEFAULT_EXCHANGE}  # published to, or bound to something


def lines(name: str) -> list[str]:
    text = (RABBITMQ / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def permissions(user: str) -> dict[str, str]:
    rows = {row[0]: row[1:] for row in map(str.split, lines("permissions"))}
    return dict(zip(("configure", "write", "read"), rows[user], strict=True))


def settings() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in lines("rabbitmq.conf"))
    return {key.strip(): value.strip() for key, value in pairs}


@pytest.mark.parametrize(
    ("right", "names"),
    [("configure", QUEUES | DOOR), ("read", QUEUES | DOOR), ("write", WRITTEN)],
)
def test_what_the_code_declares_is_allowed(right: str, names: set[str]) -> None:
    regex = permissions("overheard")[right]
    assert not [name for name in sorted(names) if not re.search(regex, name)]


@pytest.mark.parametrize("right", ["configure", "write", "read"])
@pytest.mark.parametrize(
    "name",
    ["mine", "prefetch", "fetch.DQ2", "fetch2", "fetchXDQ", "store.", "overheard", "overheard.mine",
     "xoverheard.events", "overheardXevents", "overheard.events.mine", "amq.topic", "amq.defaultx",
     "amq.rabbitmq.trace", "amq.gen-1"],
)  # fmt: skip
def test_other_names_are_not_allowed(right: str, name: str) -> None:
    for user in ("overheard", "overheard_trigger"):
        assert not re.search(permissions(user)[right], name)


def test_every_named_queue_has_a_stage() -> None:
    stages = re.search(r"\|\(([a-z|]+)\)", permissions("overheard")["configure"])
    assert stages
    assert set(stages[1].split("|")) == {*STAGES, "recheck"}
    assert permissions("overheard")["configure"] == permissions("overheard")["read"]


def test_the_trigger_user_may_only_publish() -> None:
    allowed = permissions("overheard_trigger")
    reached = {name for name in QUEUES | DOOR | {DEFAULT_EXCHANGE} if re.search(allowed["write"], name)}
    assert reached == {EXCHANGE}
    assert allowed["configure"] == allowed["read"] == "^$"


def test_every_regex_stands_for_whole_names() -> None:
    # RabbitMQ searches for the pattern: without both anchors, a name that only contains ours would match.
    for user in ("overheard", "overheard_trigger"):
        for regex in permissions(user).values():
            assert regex.startswith("^"), regex
            assert regex.endswith("$"), regex
            assert "|" not in re.sub(r"\(.*\)", "", regex), regex  # an alternative outside would shed its anchor


def test_our_largest_message_fits() -> None:
    assert int(settings()["max_message_size"]) >= 2 * max(envelope.ENVELOPE_MAX_BYTES, events.EVENT_MAX_BYTES)


def test_the_consumer_timeout_exceeds_the_longest_processing() -> None:
    # A message waits for its slot, is processed up to its stage's time limit, and may be blocked by an alarm meanwhile.
    longest = max(2 * (stage.max_backoff + stage.time_limit) for stage in STAGES.values())
    assert int(settings()["consumer_timeout"]) >= longest


def test_everything_is_bound_to_loopback() -> None:
    conf = settings()
    assert conf["listeners.tcp.local"].startswith("127.0.0.1:")
    assert conf["management.tcp.ip"] == conf["prometheus.tcp.ip"] == "127.0.0.1"
    assert not [key for key in conf if key.startswith("listeners.") and key != "listeners.tcp.local"]
