"""The event listener's protocol, on real pipes: nothing that supervisord could send makes it wait for ever."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from overheard.errors import InvalidInput, Unavailable
from overheard.supervision.listener import LONGEST_HEADER, Event, Listener, fields

HEADER = "ver:3.0 server:overheard serial:7 pool:watcher poolserial:7 eventname:{name} len:{length}\n"


def event(name: str, payload: str) -> bytes:
    return (HEADER.format(name=name, length=len(payload.encode())) + payload).encode()


class Pipes:
    """supervisord's ends of both pipes, and a listener on the others."""

    def __init__(self, patience: float) -> None:
        self.source, self.events = os.pipe()
        self.answers, self.sink = os.pipe()
        self.listener = Listener(self.source, self.sink, patience=patience)

    def send(self, words: bytes) -> None:
        os.write(self.events, words)

    def said(self) -> bytes:
        return os.read(self.answers, 4096)

    def hang_up(self) -> None:
        os.close(self.events)

    def close(self) -> None:
        for end in (self.source, self.events, self.answers, self.sink):
            try:
                os.close(end)
            except OSError:
                continue  # the test has closed it


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes(patience=20)
    yield made
    made.close()


@pytest.fixture
def impatient() -> Iterator[Pipes]:
    made = Pipes(patience=0.05)
    yield made
    made.close()


def test_events_are_read_and_answered_one_by_one(pipes: Pipes) -> None:
    payload = "processname:fetch_0 groupname:fetch from_state:RUNNING expected:0 pid:7"
    pipes.send(event("PROCESS_STATE_EXITED", payload) + event("TICK_60", "when:1201063880"))
    assert pipes.listener.next() == Event("PROCESS_STATE_EXITED", payload)
    assert pipes.said() == b"READY\n"
    pipes.listener.done()
    assert pipes.said() == b"RESULT 2\nOK"
    assert pipes.listener.next() == Event("TICK_60", "when:1201063880")


def test_an_event_may_have_no_payload_or_one_of_several_lines_and_scripts(pipes: Pipes) -> None:
    pipes.send(event("SUPERVISOR_STATE_CHANGE_RUNNING", "") + event("PROCESS_GROUP_ADDED", "groupname:été\n"))
    assert pipes.listener.next() == Event("SUPERVISOR_STATE_CHANGE_RUNNING", "")
    assert pipes.listener.next() == Event("PROCESS_GROUP_ADDED", "groupname:été\n")


@pytest.mark.parametrize(
    ("garbage", "told"),
    [
        (b"hello\n", "want words like name:value, got 'hello'"),
        (b"\n", "no eventname"),
        (b"\xff\xfe\n", "want UTF-8"),
        (b"ver:3.0 eventname:TICK_60\n", "strange len"),
        (b"ver:3.0 eventname:TICK_60 len:-1\n", "strange len"),
        (b"ver:3.0 eventname:TICK_60 len:9999999999\n", "strange len"),
        (b"ver:3.0 eventname:TICK_60 len:x\n", "strange len"),
        (b"ver:4.0 eventname:TICK_60 len:0\n", "version 4.0"),
        (b"ver:3.0 eventname:TICK_60 len:2\n\xff\xff", "want UTF-8"),
        (b"x" * (LONGEST_HEADER + 1), "no event's header, though 4097 bytes came"),
    ],
)
def test_garbage_is_told(pipes: Pipes, garbage: bytes, told: str) -> None:
    pipes.send(garbage)
    with pytest.raises(InvalidInput, match=told):
        pipes.listener.next()


@pytest.mark.parametrize("cut", [0, 20, len(event("TICK_60", "when:1")) - 1])
def test_a_supervisord_that_is_gone_is_told(pipes: Pipes, cut: int) -> None:
    pipes.send(event("TICK_60", "when:1")[:cut])
    pipes.hang_up()
    with pytest.raises(Unavailable, match="supervisord is gone"):
        pipes.listener.next()


@pytest.mark.parametrize("cut", [0, 20, len(event("TICK_60", "when:1")) - 1])
def test_silence_has_an_end(impatient: Pipes, cut: int) -> None:
    impatient.send(event("TICK_60", "when:1")[:cut])
    with pytest.raises(Unavailable, match="has sent nothing"):
        impatient.listener.next()


def test_a_supervisord_that_does_not_listen_is_told(pipes: Pipes) -> None:
    os.close(pipes.answers)
    with pytest.raises(Unavailable, match="does not listen: Broken pipe"):
        pipes.listener.next()


def test_fields() -> None:
    assert fields("a:1 b:unix:///x c:") == {"a": "1", "b": "unix:///x", "c": ""}
    assert fields("") == {}
    with pytest.raises(InvalidInput):
        fields("a:1 b")
