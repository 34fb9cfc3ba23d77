"""The simulator of a Jetstream server, as any client sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from overheard.simulators.bluesky import BlueskySimulator
from tests.servers.waiting import PATIENCE

V1, V2 = "/subscribe", "/xrpc/network.bsky.jetstream.subscribeEvents"
DID = "did:plc:ann"


@pytest.fixture
def simulator() -> Iterator[BlueskySimulator]:
    with BlueskySimulator(look_back=3600, first_seq=100) as made:
        yield made


def frames(simulator: BlueskySimulator, target: str, count: int) -> list[Any]:
    """Return so many frames; none follows within a moment."""
    with connect(f"{simulator.url}{target}", proxy=None) as socket:
        received = [json.loads(socket.recv(timeout=PATIENCE)) for _ in range(count)]
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)
    return received


def refused(simulator: BlueskySimulator, target: str) -> tuple[int, str]:
    """Return the status and the body of a refusal."""
    with pytest.raises(InvalidStatus) as caught:
        frames(simulator, target, 0)
    return caught.value.response.status_code, bytes(caught.value.response.body or b"").decode()


def test_an_event_has_the_same_content_in_both_forms(simulator: BlueskySimulator) -> None:
    uri = simulator.add_post("Hello", DID)
    [one] = frames(simulator, f"{V1}?cursor=1", 1)
    [two] = frames(simulator, f"{V2}?cursor=100", 1)
    assert (one["did"], one["kind"], one["commit"]["operation"]) == (DID, "commit", "create")
    assert uri == f"at://{DID}/{one['commit']['collection']}/{one['commit']['rkey']}"
    payload = two["payload"]
    assert (two["$type"], payload["$type"]) == ("message", f"{V2[6:]}#commit")
    assert (payload["seq"], payload["did"]) == (100, DID)
    assert {key: payload[key] for key in one["commit"]} == one["commit"]
    assert payload["time"].endswith(f"{one['time_us'] % 10**6:06d}Z")


def test_operations_of_one_commit_share_a_time(simulator: BlueskySimulator) -> None:
    simulator.add_posts(["one", "two"], DID)
    simulator.add_post("three", DID)
    one, two, three = (frame["time_us"] for frame in frames(simulator, f"{V1}?cursor=1", 3))
    assert one == two < three
    texts = ["one", "two", "three"]
    for cursor, wanted in ((two, texts), (two + 1, ["three"])):  # a cursor is inclusive
        read = frames(simulator, f"{V1}?cursor={cursor}", len(wanted))
        assert [frame["commit"]["record"]["text"] for frame in read] == wanted


def test_filters_limit_commits_only(simulator: BlueskySimulator) -> None:
    simulator.add_post("one", DID)
    simulator.set_account(DID, active=False, status="deleted")
    simulator.set_handle(DID, "ann.example")
    likes = "app.bsky.feed.like"
    accounts = frames(simulator, f"{V1}?cursor=1&wantedCollections={likes}", 2)
    assert [frame["kind"] for frame in accounts] == ["account", "identity"]
    kinds = frames(simulator, f"{V2}?cursor=100&collections=app.bsky.feed.*&kinds=commit&kinds=identity", 2)
    assert [frame["payload"]["$type"].partition("#")[2] for frame in kinds] == ["commit", "identity"]
    assert frames(simulator, f"{V2}?cursor=100&dids=did:plc:other", 0) == []


def test_what_is_too_old_is_clamped_silently_by_v1_and_told_by_v2(simulator: BlueskySimulator) -> None:
    old = int(simulator.now() * 1e6)
    simulator.add_post("lost", DID)
    simulator.advance(4000)
    simulator.add_post("kept", DID)
    assert [frame["commit"]["record"]["text"] for frame in frames(simulator, f"{V1}?cursor={old}", 1)] == ["kept"]
    info, event = (frame["payload"] for frame in frames(simulator, f"{V2}?cursor={old}", 2))
    assert (info["$type"].partition("#")[2], info["name"], event["seq"]) == ("info", "OutdatedCursor", 101)
    status, body = refused(simulator, f"{V2}?cursor=100")
    assert (status, json.loads(body)["error"]) == (400, "CursorTooOld")
    assert frames(simulator, f"{V2}?cursor=900", 0) == [], "in the future: what comes from now on"


@pytest.mark.parametrize(
    "target",
    [
        f"{V1}?cursor=soon",
        f"{V1}?cursor=-5",
        f"{V1}?collections=app.bsky.feed.post",
        f"{V1}?wantedCollections=post",
        f"{V2}?wantedCollections=app.bsky.feed.post",
        f"{V2}?kinds=post",
        f"{V2}?kinds=account&collections=app.bsky.feed.post",
        f"{V2}?colour=blue",
    ],
)
def test_what_the_server_does_not_know_is_refused(simulator: BlueskySimulator, target: str) -> None:
    status, body = refused(simulator, target)
    assert status == 400
    assert (json.loads(body)["error"] == "InvalidRequest") if target.startswith(V2) else body


def test_an_unknown_path_is_a_404(simulator: BlueskySimulator) -> None:
    assert refused(simulator, "/")[0] == 404
    with BlueskySimulator(protocols=("v1",)) as old:
        assert refused(old, V2)[0] == 404


def test_samples_are_posts(simulator: BlueskySimulator) -> None:
    assert simulator.add_sample().startswith("at://did:plc:")
    assert frames(simulator, f"{V1}?cursor=1", 1)[0]["commit"]["record"]["text"]
