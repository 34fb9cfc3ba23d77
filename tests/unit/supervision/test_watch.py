"""The watch over processes: states, ends, crash loops, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from overheard.errors import Unavailable
from overheard.metrics import ProcessMetrics
from overheard.supervision.ends import LOOP, WITHIN, Ends
from overheard.supervision.listener import Event
from overheard.supervision.rpc import Process
from overheard.supervision.watch import SILENT, Watch
from tests.conftest import Clock

FETCH = Process("fetch", "fetch_0", "running", "/logs/fetch_0.log")
SECOND = Process("fetch", "fetch_1", "running", "/logs/fetch_1.log")
WATCHER = Process("watcher", "watcher", "running", "/logs/watcher.log")


class World:
    """A watch, and what supervisord would answer."""

    def __init__(self, clock: Clock) -> None:
        self.answer: list[Process] | Unavailable = [FETCH, SECOND, WATCHER]
        self.asked = 0
        self.registry = CollectorRegistry()
        self.clock = clock
        self.watch = Watch(ask=self.ask, metrics=ProcessMetrics(self.registry), clock=clock)

    def ask(self) -> list[Process]:
        self.asked += 1
        if isinstance(self.answer, Unavailable):
            raise self.answer
        return self.answer

    def event(self, state: str, process: str = "fetch_0", *, group: str = "fetch", **more: object) -> None:
        said = {"processname": process, "groupname": group, "from_state": "RUNNING", **more}
        self.watch.handle(Event(f"PROCESS_STATE_{state}", " ".join(f"{key}:{value}" for key, value in said.items())))

    def series(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"overheard_{name}", labels)

    def states(self, program: str = "fetch") -> dict[str, float]:
        """The states that any process of the program is in."""
        names = ("running", "starting", "backoff", "stopping", "exited", "stopped", "fatal", "unknown")
        found = {state: self.series("processes", program=program, state=state) for state in names}
        return {state: count for state, count in found.items() if count}

    def exits(self, expected: str = "no") -> float | None:
        return self.series("process_exits_total", program="fetch", expected=expected)


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """The lines of the log, as dicts."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def world(clock: Clock) -> World:
    made = World(clock)
    made.watch.sync()
    return made


def test_it_asks_before_it_was_told(world: World) -> None:
    assert world.states() == {"running": 2}
    assert world.states("watcher") == {"running": 1}
    assert world.exits() == 0
    assert world.watch.problems() == []
    assert world.series("supervisor_last_event_timestamp_seconds") == world.clock.now


def test_an_event_is_a_reason_to_ask(world: World) -> None:
    world.answer = [Process("fetch", "fetch_0", "stopping"), SECOND, WATCHER]
    world.event("STOPPING", pid=7)
    assert world.states() == {"running": 1, "stopping": 1}
    world.answer = [Process("fetch", "fetch_0", "stopped"), SECOND, WATCHER]
    world.event("STOPPED", pid=7)
    assert world.states() == {"running": 1, "stopped": 1}
    assert world.watch.problems() == []  # somebody wanted it


def test_old_events_do_not_bring_back_the_past(world: World, logged: list[Any]) -> None:
    world.answer = [Process("fetch", "fetch_0", "fatal"), SECOND, WATCHER]
    for state in ("BACKOFF", "STARTING", "BACKOFF", "FATAL"):  # which waited while the watcher was busy
        world.event(state, tries=1)
        assert world.states() == {"running": 1, "fatal": 1}
    assert [line["event"] for line in logged].count("supervisord gave a process up") == 1
    assert world.exits() == 2


def test_an_event_s_word_counts_while_supervisord_cannot_be_asked(world: World) -> None:
    world.answer = Unavailable("supervisord does not answer on /x: timed out")
    world.event("FATAL")
    assert world.states() == {"running": 1, "fatal": 1}


def test_ends_that_nobody_asked_for_are_counted(world: World) -> None:
    world.event("EXITED", expected=0, pid=7)
    world.event("BACKOFF", tries=1)
    world.event("EXITED", expected=1, pid=7)
    assert (world.exits("no"), world.exits("yes")) == (2, 1)


def test_what_ails_is_a_problem_with_advice(world: World, logged: list[Any]) -> None:
    world.answer = [Process("fetch", "fetch_0", "fatal", "/logs/fetch_0.log", "Exited too quickly"), SECOND]
    world.event("FATAL")
    assert world.states() == {"running": 1, "fatal": 1}
    (problem,) = world.watch.problems()
    assert problem == (
        "fetch:fetch_0 is FATAL (Exited too quickly): see the end of /logs/fetch_0.log, mend the cause, "
        "then: supervisorctl restart fetch:fetch_0"
    )
    world.watch.sync()
    (told,) = [line for line in logged if line["log_level"] == "critical"]
    assert told["process"] == "fetch:fetch_0"
    assert told["hint"].endswith("supervisorctl restart fetch:fetch_0")


def test_a_crash_loop_is_told_once_and_is_over_in_time(world: World, logged: list[Any]) -> None:
    for _ in range(LOOP + 2):
        world.clock.advance(10)
        world.event("EXITED", expected=0, pid=7)
        world.event("STARTING", tries=0)
        world.event("RUNNING", pid=8)
    assert [line["event"] for line in logged].count("a process keeps ending") == 1
    assert world.watch.problems()[0].startswith("fetch:fetch_0 keeps ending: see the end of /logs/fetch_0.log")
    world.clock.advance(WITHIN)
    world.watch.sync()
    assert world.watch.problems() == []
    assert world.states() == {"running": 2}


def test_a_new_loop_is_told_again_and_a_slow_one_never(clock: Clock) -> None:
    ends = Ends()
    slowly = [ends.add("slow", clock.advance(WITHIN / 2)) for _ in range(10)]
    assert slowly == [False] * 10
    quickly = [ends.add("quick", clock.now) for _ in range(LOOP)]
    clock.advance(WITHIN + 1)
    assert quickly == [ends.add("quick", clock.now) for _ in range(LOOP)] == [False, False, True]
    ends.keep_only(["slow"])
    assert not ends.looping("quick", clock.now)


def test_processes_that_come_and_go_with_their_series(world: World) -> None:
    match = Process("match", "match_0", "running")
    world.answer = [match, WATCHER]
    world.event("STARTING", "match_0", group="match", tries=0)
    assert world.watch.processes == [match, WATCHER]
    assert world.states("match") == {"running": 1}
    assert world.series("processes", program="fetch", state="running") is None
    world.answer = [WATCHER]
    world.watch.handle(Event("PROCESS_GROUP_REMOVED", "groupname:match\n"))
    assert world.series("processes", program="match", state="running") is None


def test_a_supervisord_that_does_not_answer_is_a_problem_until_it_does(clock: Clock) -> None:
    world = World(clock)
    world.answer = Unavailable("supervisord does not answer on /x: No such file or directory")
    world.watch.sync()
    assert world.watch.processes is None  # not: none
    assert world.watch.problems() == ["supervisord does not answer on /x: No such file or directory"]
    world.answer = [FETCH]
    world.event("RUNNING", pid=7)  # whatever comes first is a reason to ask
    assert world.watch.processes == [FETCH]
    assert world.watch.problems() == []


def test_silence_is_a_problem(world: World) -> None:
    world.clock.advance(SILENT + 1)
    assert world.watch.problems() == [f"supervisord has sent no sign of life for {SILENT + 1:.0f} s"]
    world.watch.handle(Event("TICK_60", "when:1"))
    assert world.watch.problems() == []


def test_the_end_of_everything_is_no_alarm(world: World, logged: list[Any]) -> None:
    world.watch.handle(Event("SUPERVISOR_STATE_CHANGE_STOPPING", ""))
    world.answer = Unavailable("SHUTDOWN_STATE")
    world.event("FATAL")  # as supervisord calls what waited to be started again
    world.event("EXITED", expected=0, pid=7)
    assert logged == []
    assert all("answer" not in problem for problem in world.watch.problems())


@pytest.mark.parametrize("payload", ["", "rubbish", "processname:fetch_0", "processname:fetch_0 groupname:fetch"])
def test_an_event_that_cannot_be_read_costs_a_question(world: World, payload: str, logged: list[Any]) -> None:
    world.answer = [FETCH, WATCHER]
    world.watch.handle(Event("PROCESS_STATE_EXITED", payload))
    assert logged[0]["event"] == "supervisord's event cannot be read"
    assert world.watch.processes == [FETCH, WATCHER]
