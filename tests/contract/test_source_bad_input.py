"""Every source over HTTP gets every kind of bad input, over real HTTP.

The rule is one for all: only documented errors are raised, in bounded time and memory; the cursor does not move past
what was not read; the next correct answer has everything; and an item that cannot be read costs no other one.
"""

from __future__ import annotations

import re
import resource
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from overheard.errors import BudgetExhausted, FeedRefused, RetryableError
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from tests.contract.source_faults import poison
from tests.contract.source_faults.items import unusable
from tests.contract.source_faults.responses import CANARY, ENDLESS, OUTAGES, RETRY_AFTER, Spoil, forms, too_many
from tests.contract.source_faults.worlds import SPOILED, SpoiledReading, SpoiledWorld
from tests.servers.waiting import wait_for

pytestmark = pytest.mark.thorough

ATTEMPT_SECONDS = 20.0  # of a reading that fails: some requests with a short timeout, on a busy machine
SHORT_TIMEOUT_SECONDS = 2.0  # for answers that never end
MEMORY_MB = 200  # a response has at most 16 MiB, and is decompressed, decoded and copied
LONGEST_DELAY_SECONDS = 86_400.0
POISONED_AT_ONCE = 30

EVERY_PATH = {f"{each.name} {path}".strip(): (each, path) for each in SPOILED.values() for path in each.paths}


@pytest.fixture(params=SPOILED.values(), ids=SPOILED.keys())
def world(request: pytest.FixtureRequest) -> Iterator[SpoiledWorld]:
    with request.param() as made:
        made.read()
        yield made


@pytest.fixture(params=EVERY_PATH.values(), ids=EVERY_PATH.keys())
def spoilt(request: pytest.FixtureRequest) -> Iterator[tuple[SpoiledWorld, str]]:
    """A world, and which of its requests are spoiled."""
    made, path = request.param
    impatient = request.node.callspec.params.get("outage") in ENDLESS
    with made(**({"timeout_seconds": SHORT_TIMEOUT_SECONDS} if impatient else {})) as world:
        world.read()
        yield world, path


def survive(world: SpoiledWorld, spoil: Spoil, path: str) -> RetryableError | FeedRefused | None:
    """Spoil what two new items are read from, then read them. Return the error of the spoiled reading."""
    wanted = [world.add(), world.add()]
    threads, memory, budget = threading.active_count(), peak_mb(), world.budget
    budget.blocked.clear()
    spoil(world.simulator.faults, path)
    began = time.monotonic()
    error, reading = None, SpoiledReading()
    with capture_logs() as logs:
        try:
            reading = world.read()
        except (RetryableError, FeedRefused) as caught:
            error = caught
    assert time.monotonic() - began < ATTEMPT_SECONDS
    assert peak_mb() - memory < MEMORY_MB
    wait_for(lambda: threading.active_count() <= threads + 1, "no threads are left")  # the simulator's own connection
    check_error(world, error)
    check_silence(error, logs)
    world.simulator.faults.clear()
    later = world.read()
    assert not reading.gaps, "nothing was missing"
    assert not later.gaps, "nothing is missing"
    assert [marker for marker in wanted if not (reading.has(marker) or later.has(marker))] == []
    return error


def check_error(world: SpoiledWorld, error: RetryableError | FeedRefused | None) -> None:
    assert world.many_servers or not isinstance(error, FeedRefused), "an outage of the source is not a refused feed"
    if error is not None and error.delay is not None:
        assert 0 < error.delay <= LONGEST_DELAY_SECONDS
    assert all(0 < seconds <= LONGEST_DELAY_SECONDS for seconds in world.budget.blocked)


def check_silence(error: Exception | None, logs: list[Any]) -> None:
    """No text of the other side is repeated."""
    said = error.reason if isinstance(error, FeedRefused) else str(error)
    assert CANARY not in said
    assert CANARY not in repr(logs)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# -- whole answers


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_costs_nothing(spoilt: tuple[SpoiledWorld, str], outage: str) -> None:
    world, path = spoilt
    error = survive(world, OUTAGES[outage], path)
    assert error is not None or (path, outage) in world.harmless, "it must not look like a feed without news"


def test_an_answer_of_a_wrong_form_costs_nothing(spoilt: tuple[SpoiledWorld, str]) -> None:
    world, path = spoilt
    for name, spoil in forms():
        with noted(name):
            survive(world, spoil, path)


def test_too_many_requests_in_every_form(spoilt: tuple[SpoiledWorld, str]) -> None:
    world, path = spoilt
    for name, retry_after in RETRY_AFTER.items():
        with noted(name):
            error = survive(world, too_many(retry_after), path)
            assert error is not None
            assert error.delay is not None
            assert retry_after != "7" or error.delay == 7
            assert world.budget.blocked, "all processes wait"


@contextmanager
def noted(name: str) -> Iterator[None]:
    """Add to a failure which of many inputs it was."""
    try:
        yield
    except BaseException as error:
        error.add_note(name)
        raise


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody has signed, and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "simulator.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    path.write_bytes(subprocess.run([*command.split(), *names, "-keyout", "-"], capture_output=True, check=True).stdout)
    return path


@pytest.mark.parametrize("made", SPOILED.values(), ids=SPOILED.keys())
def test_a_certificate_that_is_not_trusted_is_an_outage(made: type[SpoiledWorld], certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with made(tls) as world, pytest.raises((RetryableError, FeedRefused)) as caught:
        world.read()
    check_error(world, caught.value)
    assert world.many_servers or "cert" in str(caught.value).lower()


@pytest.mark.parametrize("made", SPOILED.values(), ids=SPOILED.keys())
def test_a_server_that_is_not_there_is_an_outage(made: type[SpoiledWorld]) -> None:
    with made() as world:
        world.read()
        world.simulator.stop()
        with pytest.raises((RetryableError, FeedRefused)) as caught:
            world.read()
        check_error(world, caught.value)


@pytest.mark.parametrize("made", SPOILED.values(), ids=SPOILED.keys())
def test_no_redirect_leads_to_another_host(made: type[SpoiledWorld]) -> None:
    """Credentials and egress rules are those of the host that was named."""
    with made() as other, made() as world:
        world.read()
        before = len(other.simulator.recent_requests())

        def spoil(faults: Any, path: str) -> None:
            faults.fail(302, 1000, path=path, headers={"location": f"{other.simulator.url}elsewhere"})

        survive(world, spoil, "")
        asked = other.simulator.recent_requests()[before:]
        assert world.many_servers or not asked
        assert not [line for line in asked if "authorization" in line.lower()]


# -- what is around the items


def around(world: SpoiledWorld) -> dict[str, list[tuple[str, ...]]]:
    """Return, for each form of an answer that a reading gets, the keys around its items; () is the whole answer."""
    marker, found = world.add(), {}

    def look(request: SimulatedRequest, answer: SimulatedResponse) -> SimulatedResponse:
        document = poison.decoded(answer)
        has_item = bool(poison.items_with(document, marker))
        inside = any(item is document for item in poison.items_with(document, marker))
        if not inside:
            found["items" if has_item else re.sub(r"\d+", "", request.path)] = poison.envelope_keys(document, marker)
        return answer

    world.rewrite = look
    assert world.read().has(marker)
    world.rewrite = None
    return found


def test_what_is_around_the_items_may_be_anything(world: SpoiledWorld) -> None:
    """Each key around the items gets each wrong value. The answer may be given up, but nothing is lost."""
    failures = [
        f"{'.'.join(key)} = {name}: {why}"
        for key in sorted({key for keys in around(world).values() for key in keys})
        for name, value in poison.VALUES.items()
        for why in misled(world, key, value)
    ]
    assert not failures, "\n".join(failures)


def misled(world: SpoiledWorld, key: tuple[str, ...], value: Any) -> list[str]:
    """Return what is wrong with two readings: of answers with this value, and of correct ones."""
    wanted, wrong, reading = [world.add(), world.add()], [], SpoiledReading()
    replaced: list[Any] = []

    def spoil(request: SimulatedRequest, answer: SimulatedResponse) -> SimulatedResponse:
        document, verbatim = poison.decoded(answer), []
        if document is None or any(item is document for _, item in poison.marked(document)):
            return answer
        if not key and not isinstance(document, dict):
            return replace(answer, text=value if isinstance(value, poison.Verbatim) else poison.rendered(value))
        if not key or not isinstance(document, dict):
            return answer
        replaced.append(poison.got(document, key))
        if not poison.put(document, key, value, verbatim):
            return answer
        return replace(answer, text=poison.rendered(document, verbatim))

    if value is poison.MISSING and not key:
        return []
    world.rewrite = spoil
    try:
        reading = world.read()
    except (RetryableError, FeedRefused) as error:
        check_error(world, error)
        if CANARY in str(error):
            wrong.append("the error repeats a text")
    except Exception as error:  # noqa: BLE001 - reported below
        wrong.append(f"{type(error).__name__}: {error}")
    world.rewrite = None
    later = world.read()
    if missing := [marker for marker in wanted if not (reading.has(marker) or later.has(marker))]:
        wrong.append(f"{len(missing)} of {len(wanted)} items are lost")
    # Instead of a list of items there may be one without items, which looks like a listing that ended too early.
    if (reading.gaps or later.gaps) and not any(isinstance(value, list) for value in replaced):
        wrong.append(f"a gap of nothing: {[gap.reason for gap in (*reading.gaps, *later.gaps)]}")
    return wrong


@pytest.mark.parametrize("order", poison.ORDERS.values(), ids=poison.ORDERS.keys())
def test_lists_in_any_order_and_with_anything_in_between(
    world: SpoiledWorld, order: Callable[[list[Any]], list[Any]]
) -> None:
    wanted = [world.add() for _ in range(30)]
    world.rewrite = lambda request, answer: (
        answer
        if (document := poison.decoded(answer)) is None
        else replace(answer, text=poison.rendered(poison.reordered(document, order)))
    )
    reading = world.read()
    assert [marker for marker in wanted if not reading.has(marker)] == []
    world.rewrite = None
    wanted = [world.add() for _ in range(3)]
    reading = world.read()
    assert [marker for marker in wanted if not reading.has(marker)] == []
    assert not reading.gaps


def test_very_many_items_at_once_arrive_or_are_a_gap(world: SpoiledWorld) -> None:
    wanted = [world.add() for _ in range(world.many)]
    began, memory = time.monotonic(), peak_mb()
    reading = world.read()
    assert time.monotonic() - began < 60
    assert peak_mb() - memory < MEMORY_MB
    text = " ".join(f"{item.title} {item.body} " for item in reading.items)
    missing = [marker for marker in wanted if f"{marker} " not in text]
    assert reading.gaps or not missing, f"{len(missing)} of {len(wanted)} are missing, and nothing says so"
    assert len(missing) < len(wanted)
    later = world.add()
    assert world.read().has(later)


# -- items


def poisonable(world: SpoiledWorld) -> list[tuple[str, ...]]:
    """Return the path of every key that the world's items have."""
    marker, found = world.add(), set()

    def look(request: SimulatedRequest, answer: SimulatedResponse) -> SimulatedResponse:
        for item in poison.items_with(poison.decoded(answer), marker):
            found.update(poison.keys_of(item))
        return answer

    world.rewrite = look
    assert world.read().has(marker)
    world.rewrite = None
    assert found
    return sorted(found)


def test_one_bad_item_costs_no_other(world: SpoiledWorld) -> None:
    """Each key of an item gets each wrong value, many items at a time, between items that are as they should be."""
    failures: list[str] = []
    for key in poisonable(world):
        names = list(poison.VALUES)
        for start in range(0, len(names), POISONED_AT_ONCE):
            some = names[start : start + POISONED_AT_ONCE]
            if harmed(world, key, {name: poison.VALUES[name] for name in some}):
                alone = {name: harmed(world, key, {name: poison.VALUES[name]}) for name in some}
                failures += [f"{'.'.join(key)} = {name}: {why}" for name, wrong in alone.items() for why in wrong]
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)


def test_an_item_of_five_megabytes_costs_no_other(world: SpoiledWorld) -> None:
    failures = {
        ".".join(key): wrong for key in poisonable(world) if (wrong := harmed(world, key, {"5 MB": poison.LONG_TEXT}))
    }
    assert not failures


def harmed(world: SpoiledWorld, key: tuple[str, ...], values: dict[str, Any]) -> list[str]:
    """Return what is wrong with a reading of items whose key has these values, between others."""
    good, poisoned = [world.add()], {}
    for value in values.values():
        poisoned[world.add()] = value
        good.append(world.add())
    world.rewrite = poison.Poisoned(key, poisoned)
    wrong: list[str] = []
    reading = SpoiledReading()
    try:
        with capture_logs() as logs:
            reading = world.read()
        if CANARY in repr(logs):
            wrong.append("a log line repeats a text")
    except (RetryableError, FeedRefused, BudgetExhausted) as error:
        wrong.append(f"the whole answer was given up: {error}")
    except Exception as error:  # noqa: BLE001 - reported below
        wrong.append(f"{type(error).__name__}: {error}")
    world.rewrite = None
    good.append(world.add())
    later = world.read()
    if missing := [marker for marker in good if not (reading.has(marker) or later.has(marker))]:
        wrong.append(f"{len(missing)} of {len(good)} good items are missing")
    if reading.gaps or later.gaps:
        wrong.append(f"a gap of nothing: {[gap.reason for gap in (*reading.gaps, *later.gaps)]}")
    return wrong + [problem for item in (*reading.items, *later.items) for problem in unusable(item)]
