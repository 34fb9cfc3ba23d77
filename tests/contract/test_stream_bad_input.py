"""The streamed source gets every kind of bad input, over a real WebSocket, in both versions of its protocol.

The rule is that of `test_source_bad_input.py`: only RetryableError is raised, in bounded time; a new connection at the
cursor has everything that came meanwhile; and what cannot be read costs nothing but itself.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self

import pytest
from structlog.testing import capture_logs

from overheard.errors import RetryableError
from overheard.items import Item
from overheard.simulators.bluesky import BlueskySimulator, StreamFault, connection
from overheard.sources import ListingGap
from overheard.sources.bluesky.client import PING_SECONDS, Choice, JetstreamServer
from overheard.sources.bluesky.source import BlueskyConnection, BlueskySource
from tests.contract.source_faults import poison
from tests.contract.source_faults.items import unusable
from tests.contract.source_faults.responses import CANARY, FORMS, RETRY_AFTER
from tests.unit.sources.reddit_world import new_metrics

pytestmark = pytest.mark.thorough

FAILS_WITHIN_SECONDS = 15.0  # with a ping of half a second
SHORT_PING_SECONDS = 0.5
CONNECTIONS_MAX = 20  # until everything has come


class StreamReader:
    """Reads a stream as its producer does: page by page, and from the cursor again after each failure."""

    def __init__(self, protocol: Choice, *, ping_seconds: float = PING_SECONDS) -> None:
        self.simulator = BlueskySimulator()
        self._protocol = protocol
        self._ping_seconds = ping_seconds
        self.items: list[Item] = []
        self.gaps: list[ListingGap] = []
        self.errors: list[RetryableError] = []
        self.cursor: str | None = None
        self._connection: BlueskyConnection | None = None
        self._stop = threading.Event()
        self._published = 0

    def __enter__(self) -> Self:
        self.simulator.start()
        server = JetstreamServer(
            self.simulator.url, self._protocol, self.simulator.now, ping_seconds=self._ping_seconds
        )
        self.metrics = new_metrics()
        self.source = BlueskySource(
            server, self.metrics, clock=self.simulator.now, batch_seconds=0.02, quiet_seconds=0.2
        )
        self.wait_for(self.add())
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        self.source.close()
        self.simulator.stop()

    def add(self) -> str:
        """Publish a post; return its marker."""
        self._published += 1
        marker = f"marker{self._published}x"
        if self._connection is None and self.cursor is None:
            self._connection = self.source.connect(None)
            assert self.simulator.wait_for_connections(1)
        self.simulator.add_post(marker, f"did:plc:ann{self._published:021d}")
        return marker

    def drop(self) -> None:
        """Close the connection; the next page comes from a new one."""
        opened, self._connection = self._connection, None
        if opened is not None:
            opened.close()

    def wait_for(self, *markers: str) -> None:
        """Read until all of these posts have come."""
        failures = 0
        began = time.monotonic()
        while missing := [marker for marker in markers if not self.has(marker)]:
            failed = not self.read()
            failures += failed
            assert failures <= CONNECTIONS_MAX, f"{missing} never came: {self.errors[-1:]}"
            assert failed or time.monotonic() - began < 60, f"{missing} never came"

    def has(self, marker: str) -> bool:
        return any(marker in item.body for item in self.items)

    def read(self) -> bool:
        """Read a page; return False if that failed."""
        began = time.monotonic()
        try:
            self._connection = self._connection or self.source.connect(self.cursor)
            page = self._connection.read(self._stop)
        except RetryableError as error:
            self.errors.append(error)
            self.drop()
            return False
        finally:
            assert time.monotonic() - began < FAILS_WITHIN_SECONDS
        self.items += page.items
        self.gaps += page.gaps
        self.cursor = page.cursor
        return True


@pytest.fixture(params=["v1", "v2"])
def protocol(request: pytest.FixtureRequest) -> Choice:
    chosen: Choice = request.param
    return chosen


@pytest.fixture
def stream(protocol: Choice) -> Iterator[StreamReader]:
    with StreamReader(protocol) as reader:
        yield reader


@pytest.fixture
def impatient_stream(protocol: Choice) -> Iterator[StreamReader]:
    """A stream that gives up soon: a silence of a second is a long one, on a busy machine as well."""
    with StreamReader(protocol, ping_seconds=SHORT_PING_SECONDS) as reader:
        yield reader


FAULTS: dict[str, StreamFault] = {
    **{f"HTTP {status}": StreamFault("refuse", status=status) for status in (400, 401, 403, 404, 410, 429, 500, 503)},
    "HTML instead of a stream": StreamFault("refuse", status=200, frame=f"<html>{CANARY}"),
    "a redirect to another host": StreamFault("refuse", status=302, headers={"location": f"ws://{CANARY}.example/"}),
    "a redirect to a file": StreamFault("refuse", status=301, headers={"location": f"file:///{CANARY}"}),
    "a redirect to nothing": StreamFault("refuse", status=307),
    **{
        f"429, Retry-After {name}": StreamFault("refuse", status=429, headers={"retry-after": value or ""})
        for name, value in RETRY_AFTER.items()
        if value is not None and value.isascii() and len(value) < 100
    },
    **{f"closed with {code}": StreamFault("close", status=code) for code in (1000, 1001, 1002, 1008, 1011, 1013, 3000)},
    "reset": StreamFault("reset"),
    "half a frame": StreamFault("half"),
    "silence": StreamFault("silence", seconds=60),
    "a frame of 9 MB": StreamFault("rubbish", frame=f'{{"did": "{CANARY * 900_000}"}}'),
    "a binary frame of 9 MB": StreamFault("rubbish", frame=bytes(9 << 20)),
    "an error of the server": StreamFault("error", frame=CANARY),
}

FRAMES: dict[str, str | bytes] = {
    **{
        f"{kind} with {name}": frame
        for name, text in FORMS.items()
        for kind, frame in (("text", text.decode("utf-8", "replace")), ("binary", text))
    },
    "nothing": "",
    "no bytes": b"",
    "HTML": f"<html>{CANARY}</html>",
    "random bytes": random.Random(1).randbytes(1000),
    "5 MB": json.dumps({"kind": "commit", "commit": {"record": {"text": CANARY * 500_000}}}),
}


# At once, and after an event; a refusal comes before all events.
WHEN = [
    pytest.param(replace(fault, after=after), id=f"{name}, after {after}")
    for name, fault in FAULTS.items()
    for after in (0, 1)
    if not (fault.kind == "refuse" and after)
]


@pytest.mark.parametrize("fault", WHEN)
def test_a_failing_server_costs_nothing(impatient_stream: StreamReader, fault: StreamFault) -> None:
    stream = impatient_stream
    stream.drop()
    stream.simulator.faults.inject(fault)
    wanted = [stream.add(), stream.add(), stream.add()]
    with capture_logs() as logs:
        stream.wait_for(*wanted)
        stream.wait_for(stream.add())
    assert not stream.gaps, "nothing was missing"
    for error in stream.errors:
        assert error.delay is None or 0 < error.delay <= 86_400
        assert CANARY not in str(error)
    assert CANARY not in repr(logs)


def test_frames_that_are_rubbish_cost_nothing(stream: StreamReader) -> None:
    for name, frame in FRAMES.items():
        stream.simulator.faults.inject(StreamFault("rubbish", frame=frame, after=1))
        stream.drop()
        wanted = [stream.add(), stream.add(), stream.add()]
        with capture_logs() as logs:
            stream.wait_for(*wanted)
        assert not stream.gaps, name
        assert CANARY not in repr(logs) + repr(stream.errors), name
        assert not stream.errors, f"{name}: the connection does not go on"


def test_one_bad_event_costs_no_other(stream: StreamReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key of an event gets each wrong value; then the stream is read on from the cursor, by a new connection."""
    rendered = connection.event_frame
    found: set[tuple[str, ...]] = set()

    def look(event: Any, *, v2: bool) -> str:
        text = rendered(event, v2=v2)
        found.update(poison.keys_of(json.loads(text), depth=4))
        return text

    monkeypatch.setattr(connection, "event_frame", look)
    stream.wait_for(stream.add())
    failures = [
        f"{'.'.join(key)}: {problem}"
        for key in sorted(found)
        for problem in harmed(
            stream, key, poison.VALUES, lambda new: monkeypatch.setattr(connection, "event_frame", new)
        )
    ]
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)


def harmed(
    stream: StreamReader, key: tuple[str, ...], values: dict[str, Any], frames_by: Callable[[Any], None]
) -> list[str]:
    """Return what is wrong with a stream of which some events have these values."""
    rendered, poisoned = connection.event_frame, {}

    def spoilt(event: Any, *, v2: bool) -> str:
        document, verbatim = json.loads(rendered(event, v2=v2)), []
        marker = poison.MARKER.search(json.dumps(document))
        if marker and marker.group() in poisoned:
            poison.put(document, key, poisoned[marker.group()], verbatim)
        return poison.rendered(document, verbatim)

    frames_by(spoilt)
    before, good, errors = len(stream.items), [stream.add()], len(stream.errors)
    for value in values.values():
        poisoned[f"marker{stream._published + 1}x"] = value
        stream.add()
        good.append(stream.add())
    wrong: list[str] = []
    try:
        with capture_logs() as logs:
            stream.wait_for(*good)
        if CANARY in repr(logs):
            wrong.append("a log line repeats a text")
        frames_by(rendered)
        stream.drop()
        stream.wait_for(stream.add())
    except Exception as error:  # noqa: BLE001 - reported below
        wrong.append(f"{type(error).__name__}: {str(error)[:300]}")
        frames_by(rendered)
        stream.drop()
    if len(stream.errors) > errors:
        wrong.append(f"the connection was given up: {stream.errors[-1]}")
    if stream.gaps:
        wrong.append(f"a gap of nothing: {stream.gaps}")
        stream.gaps.clear()
    return wrong + [problem for item in stream.items[before:] for problem in unusable(item)]


@pytest.mark.parametrize("seconds", [-86_400 * 3650, -3600, 86_400 * 3650])
def test_an_event_of_another_time_does_not_carry_the_cursor_away(
    stream: StreamReader, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    rendered = connection.event_frame
    strange = f"marker{stream._published + 2}x"

    def spoilt(event: Any, *, v2: bool) -> str:
        text = rendered(event, v2=v2)
        if strange not in text:
            return text
        moved = type(event)(event.seq, event.time_us + seconds * 10**6, event.did, event.kind, event.body)
        return rendered(moved, v2=v2)

    monkeypatch.setattr(connection, "event_frame", spoilt)
    wanted = [stream.add(), stream.add(), stream.add()]
    stream.wait_for(wanted[0], wanted[2])
    stream.drop()
    while_away = stream.add()
    stream.wait_for(while_away)
    assert not stream.gaps


def test_ten_thousand_events_at_once(stream: StreamReader) -> None:
    stream.drop()
    wanted = [stream.add() for _ in range(10_000)]
    began = time.monotonic()
    while len({item.id for item in stream.items}) <= len(wanted):  # one is from before
        assert stream.read()
        assert time.monotonic() - began < 60
    assert not stream.gaps
