"""The source against the simulator: versions of the protocol, cursors, and servers that misbehave."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from overheard.errors import RetryableError
from overheard.observability.metrics import ProcessMetrics
from overheard.simulators.bluesky import BlueskySimulator, StreamFault
from overheard.sources import Page
from overheard.sources.bluesky import client
from overheard.sources.bluesky.client import Choice, JetstreamServer
from overheard.sources.bluesky.source import BlueskySource
from tests.fixtures import Metric
from tests.unit.sources.streams import NEVER, read_on, read_until

POST = {"collection": "app.bsky.feed.post", "operation": "create", "rkey": "3mmoojp4cd223"}
V1, V2 = "/subscribe?", "/xrpc/network.bsky.jetstream.subscribeEvents?"


@pytest.fixture
def simulator() -> Iterator[BlueskySimulator]:
    with BlueskySimulator(look_back=3600) as made:
        yield made


@pytest.fixture
def source(simulator: BlueskySimulator, metrics: ProcessMetrics) -> BlueskySource:
    return source_of(simulator, metrics)


def source_of(
    simulator: BlueskySimulator,
    metrics: ProcessMetrics,
    choice: Choice = "auto",
    *,
    batch_seconds: float = 0.2,
    quiet_seconds: float = 1.0,
) -> BlueskySource:
    server, clock = JetstreamServer(simulator.url, choice, simulator.now), simulator.now
    return BlueskySource(server, metrics, clock=clock, batch_seconds=batch_seconds, quiet_seconds=quiet_seconds)


def page_of(source: BlueskySource, cursor: str | None = None, *, until: str | None = None) -> Page:
    """Return the first page; with ``until``, all up to that item."""
    with closing(source.connect(cursor)) as connection:
        return connection.read(NEVER) if until is None else read_until(connection, until)


def fail(source: BlueskySource, cursor: str | None) -> None:
    """Connect, and read pages until an error."""
    with closing(source.connect(cursor)) as connection:
        read_on(connection)


def begun(source: BlueskySource, simulator: BlueskySimulator) -> str:
    with closing(source.connect(None)) as connection:
        return read_until(connection, simulator.add_post("the first one")).cursor


def test_v2_is_tried_first_and_what_the_server_does_not_speak_is_remembered(metrics: ProcessMetrics) -> None:
    with BlueskySimulator(protocols=("v1",)) as simulator:
        source = source_of(simulator, metrics)
        cursor = begun(source, simulator)
        page_of(source, cursor)
        assert [target.partition("?")[0] + "?" for target in simulator.targets()] == [V2, V1, V1]
    with BlueskySimulator() as simulator:
        for choice in ("v1", "v2"):
            begun(source_of(simulator, metrics, choice), simulator)  # type: ignore[arg-type]
        assert [target.partition("?")[0] + "?" for target in simulator.targets()] == [V1, V2]
    with BlueskySimulator(protocols=()) as simulator, pytest.raises(RetryableError, match="HTTP 404"):
        source_of(simulator, metrics).connect(None)


def test_a_cursor_of_one_version_is_good_in_the_other(simulator: BlueskySimulator, metrics: ProcessMetrics) -> None:
    for one, other in (("v1", "v2"), ("v2", "v1")):
        cursor = begun(source_of(simulator, metrics, one), simulator)  # type: ignore[arg-type]
        missed = simulator.add_post("missed")
        page = page_of(source_of(simulator, metrics, other), cursor, until=missed)  # type: ignore[arg-type]
        assert page.items[-1].id == missed
        assert page.gaps == ()


def test_all_operations_of_one_commit_come_although_they_share_a_time(
    simulator: BlueskySimulator, metrics: ProcessMetrics
) -> None:
    for choice in ("v1", "v2"):
        source = source_of(simulator, metrics, choice)  # type: ignore[arg-type]
        simulator.faults.inject(StreamFault("close", after=2, status=1000))
        with closing(source.connect(None)) as connection:
            posts = simulator.add_posts(["one", "two", "three"], "did:plc:ann")
            page = read_until(connection, posts[1])
        assert [item.id for item in page.items] == posts[:2]
        assert posts[2] in [item.id for item in page_of(source, page.cursor, until=posts[2]).items]


def test_a_number_that_is_too_old_is_replaced_by_its_time_and_the_gap_is_told(
    simulator: BlueskySimulator, source: BlueskySource
) -> None:
    cursor = begun(source, simulator)
    simulator.advance(3700)
    kept = simulator.add_post("kept")
    page = page_of(source, cursor, until=kept)
    assert ["cursor=" in target for target in simulator.targets()] == [False, True, True]
    assert simulator.targets()[-1].startswith(V2)
    [gap] = page.gaps
    assert (gap.reason, gap.until and gap.until[0]) == ("outdated", kept)


def test_another_server_is_read_from_now_on_and_the_gap_is_told(
    simulator: BlueskySimulator, source: BlueskySource, metrics: ProcessMetrics
) -> None:
    cursor = begun(source, simulator)
    with BlueskySimulator() as other:
        moved = source_of(other, metrics)
        quiet = page_of(moved, cursor)
        assert (quiet.items, quiet.gaps, quiet.cursor) == ((), (), cursor), "not yet: nothing has come"
        with closing(moved.connect(cursor)) as connection:
            first = other.add_post("the first one there")
            page = read_until(connection, first)
        assert not [target for target in other.targets() if "cursor" in target]
        [gap] = page.gaps
        assert (gap.reason, gap.until and gap.until[0]) == ("outdated", first)
        assert page_of(moved, page.cursor).gaps == ()


def test_a_connection_without_an_event_resumes_at_its_beginning(
    simulator: BlueskySimulator, source: BlueskySource
) -> None:
    page = page_of(source)
    added = simulator.add_post("while there was no connection")
    assert [item.id for item in page_of(source, page.cursor, until=added).items] == [added]


def test_a_reading_that_is_cut_is_behind(simulator: BlueskySimulator, metrics: ProcessMetrics) -> None:
    cursor = begun(source_of(simulator, metrics), simulator)
    added = [simulator.add_post(f"text {number}") for number in range(700)]
    simulator.advance(60)
    first = page_of(source_of(simulator, metrics, batch_seconds=60.0), cursor)
    assert (len(first.items), first.behind) == (500, True)
    with closing(source_of(simulator, metrics).connect(first.cursor)) as connection:
        rest = read_until(connection, added[-1])
        assert [item.id for item in first.items + rest.items] == added
        while rest.behind:  # it was cut before it could show that nothing more was waiting
            rest = connection.read(NEVER)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StreamFault("refuse", status=503), "HTTP 503"),
        (StreamFault("refuse", status=200, frame="<html>busy</html>"), "HTTP 200"),
        (StreamFault("refuse", 2, status=403, frame="<html>blocked</html>"), "HTTP 403"),
        (StreamFault("refuse", 20, status=302, headers={"Location": "/subscribe"}), "SecurityError|HTTP 302"),
        (StreamFault("refuse", status=302, headers={"Location": "http://[bad"}), "the connection failed|HTTP 302"),
    ],
)
def test_a_refusal_is_a_passing_fault(
    simulator: BlueskySimulator, source: BlueskySource, fault: StreamFault, reason: str
) -> None:
    simulator.faults.inject(fault)
    with pytest.raises(RetryableError, match=reason) as caught:
        source.connect(None)
    assert "html" not in str(caught.value)


def test_the_server_says_when_to_come_back(simulator: BlueskySimulator, source: BlueskySource) -> None:
    simulator.faults.inject(StreamFault("refuse", status=429, headers={"Retry-After": "17"}))
    with pytest.raises(RetryableError) as caught:
        source.connect(None)
    assert caught.value.delay == 17


@pytest.mark.parametrize(
    "fault",
    [
        StreamFault("close", status=1000),
        StreamFault("close", status=1011),
        StreamFault("reset"),
        StreamFault("half"),
        StreamFault("error", frame="ConsumerTooSlow"),
        StreamFault("rubbish", frame="x" * (9 << 20)),  # more than is ever received
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
def test_a_connection_that_ends_is_a_passing_fault(
    simulator: BlueskySimulator, source: BlueskySource, fault: StreamFault
) -> None:
    cursor = begun(source, simulator)
    simulator.faults.inject(fault)
    began = time.monotonic()
    with pytest.raises(RetryableError):
        fail(source, cursor)
    assert time.monotonic() - began < 2 * client.PING_SECONDS, "it is not a ping that notices it"
    added = simulator.add_post("later")
    assert [item.id for item in page_of(source, cursor, until=added).items] == [added], (
        "the one at the cursor is not repeated"
    )


@pytest.mark.parametrize(
    "frame",
    ["", "<html>", b"\x00\x01\xff", "{" * 100_000, "x" * 5_000_000, json.dumps({"kind": "new"}), "\0", '"\\ud800"'],
    ids=lambda frame: repr(frame[:12]),
)
def test_rubbish_between_events_costs_no_event(
    simulator: BlueskySimulator, source: BlueskySource, metric: Metric, frame: str | bytes
) -> None:
    cursor = begun(source, simulator)
    simulator.faults.inject(StreamFault("rubbish", after=1, frame=frame))
    wanted = [simulator.add_post("one"), simulator.add_post("two")]
    page = page_of(source, cursor, until=wanted[-1])
    assert [item.id for item in page.items] == wanted
    assert metric("items_unreadable_total", source="bluesky") == 1


def test_a_server_that_sends_only_rubbish_is_failing(simulator: BlueskySimulator, source: BlueskySource) -> None:
    simulator.faults.inject(StreamFault("rubbish", frame="hello"))
    with pytest.raises(RetryableError, match="nothing that can be read"):
        fail(source, None)


def test_a_bad_post_costs_no_neighbour(simulator: BlueskySimulator, source: BlueskySource, metric: Metric) -> None:
    with closing(source.connect(None)) as connection:
        wanted = [simulator.add_post("one")]
        simulator.add_event("did:plc:ann", "commit", {**POST, "record": {"text": 7}})
        simulator.add_event("did:plc:ann", "commit", POST)
        simulator.add_event("not a did", "commit", {**POST, "operation": "delete"})
        wanted.append(simulator.add_post("two"))
        page = read_until(connection, wanted[-1])
    assert [item.id for item in page.items] == wanted
    assert metric("items_unreadable_total", source="bluesky") == 3


def test_a_server_that_falls_silent_is_noticed(simulator: BlueskySimulator, metrics: ProcessMetrics) -> None:
    assert 2 * client.PING_SECONDS <= 20
    server = JetstreamServer(simulator.url, "auto", simulator.now, ping_seconds=0.1)
    source = BlueskySource(server, metrics, clock=simulator.now, batch_seconds=0.05, quiet_seconds=0.5)
    simulator.faults.inject(StreamFault("silence", seconds=60))
    with pytest.raises(RetryableError, match="did not answer a ping"):
        fail(source, None)


def test_a_server_that_only_accepts_connections_is_noticed(
    metrics: ProcessMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.OPEN_SECONDS <= 20
    monkeypatch.setattr(client, "OPEN_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        source = BlueskySource(JetstreamServer(url, "auto", time.time), metrics, clock=time.time)
        with pytest.raises(RetryableError, match="did not answer in time"):
            source.connect(None)


def test_a_server_that_does_not_speak_http_is_a_passing_fault(metrics: ProcessMetrics) -> None:
    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"\x00\xffrubbish\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        url = f"ws://127.0.0.1:{server.getsockname()[1]}"
        source = BlueskySource(JetstreamServer(url, "auto", time.time), metrics, clock=time.time)
        with pytest.raises(RetryableError):
            source.connect(None)
        thread.join()
    with pytest.raises(RetryableError, match="connection refused"):
        source.connect(None)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, metrics: ProcessMetrics) -> None:
    made = tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", made, "-out", tmp_path / "own.pem",
         "-subj", "/CN=localhost", "-days", "1"],
        check=True, capture_output=True,
    )  # fmt: skip
    made.write_text(made.read_text() + (tmp_path / "own.pem").read_text())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made)
    with BlueskySimulator() as simulator:
        simulator.stop()
        simulator.start(tls=tls)
        with pytest.raises(RetryableError, match="certificate"):
            source_of(simulator, metrics).connect(None)


def test_a_reading_ends_soon_when_it_has_to(simulator: BlueskySimulator, metrics: ProcessMetrics) -> None:
    stop = threading.Event()
    with closing(source_of(simulator, metrics, quiet_seconds=60.0).connect(None)) as connection:
        threading.Timer(0.1, stop.set).start()
        began = time.monotonic()
        assert connection.read(stop).items == ()
        assert time.monotonic() - began < 30
