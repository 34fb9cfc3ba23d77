from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from overheard.errors import RetryableError
from overheard.net import egress
from overheard.net.deadline import Deadline
from tests.servers.sink import HttpSink


@pytest.fixture
def deadline() -> Iterator[Deadline]:
    with Deadline(20) as deadline:
        yield deadline


@pytest.mark.parametrize(
    "answer",
    [["10.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"], ["2606:4700::1", "::1"]],
)
def test_one_private_address_among_public_ones_refuses_the_name(answer: list[str], deadline: Deadline) -> None:
    with pytest.raises(egress.EgressRefused, match=r"refused to connect to evil\.example .*allow_private"):
        egress.connect("evil.example", 80, deadline=deadline, allow_private=False, resolve=lambda host, port: answer)


def test_a_name_is_resolved_once_and_the_result_is_used(http: HttpSink, deadline: Deadline) -> None:
    """DNS rebinding: a second lookup, by us or by the library, would get another answer."""
    lookups: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        lookups.append((host, port))
        return ["127.0.0.1"] if len(lookups) == 1 else ["127.0.0.9"]

    sock = egress.connect("nowhere.invalid", http.port, deadline=deadline, allow_private=True, resolve=resolve)
    assert sock.getpeername() == ("127.0.0.1", http.port)
    assert lookups == [("nowhere.invalid", http.port)]
    sock.close()


def test_the_next_address_is_tried_when_one_does_not_answer(http: HttpSink, deadline: Deadline) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return ["::1", "127.0.0.1"]  # the sink listens on IPv4 only

    sock = egress.connect("two.example", http.port, deadline=deadline, allow_private=True, resolve=resolve)
    assert sock.getpeername()[0] == "127.0.0.1"
    sock.close()


def test_a_refused_connection_is_retried(deadline: Deadline) -> None:
    with pytest.raises(RetryableError, match=r"cannot connect to localhost:1: Connection refused"):
        egress.connect("localhost", 1, deadline=deadline, allow_private=True, resolve=egress.resolve)


def test_an_unknown_name_is_retried(deadline: Deadline) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(RetryableError, match="cannot be resolved"):
        egress.connect("gone.example", 80, deadline=deadline, allow_private=False, resolve=resolve)


def test_a_dead_name_server_ends_with_the_deadline() -> None:
    answered = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        answered.wait(30)
        return []

    with Deadline(0.05) as deadline, pytest.raises(RetryableError, match="looking its name up took longer"):
        egress.connect("slow.example", 80, deadline=deadline, allow_private=False, resolve=resolve)
    answered.set()
