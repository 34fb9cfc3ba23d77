"""Keeps the state of every process under supervisord: as metrics, as problems, and as lines in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from overheard.clock import Clock
from overheard.errors import InvalidInput, Unavailable
from overheard.log import get_logger
from overheard.metrics import ProcessMetrics
from overheard.supervision.ends import LOOP, WITHIN, Ends
from overheard.supervision.listener import Event, fields
from overheard.supervision.rpc import Process

STATES = ("running", "starting", "backoff", "stopping", "exited", "stopped", "fatal", "unknown")
AILING = {"backoff", "exited", "fatal", "unknown"}  # but not stopped: somebody wanted that
SILENT = 150.0  # seconds without a sign of life, which comes every minute
STATE_EVENT = "PROCESS_STATE_"
SHUTDOWN_EVENT = "SUPERVISOR_STATE_CHANGE_STOPPING"

log = get_logger(__name__)


class Watch:
    """``ask`` returns all processes or raises Unavailable; ``control`` is how advice calls supervisorctl.

    One thread handles events; any may ask for ``problems`` and ``processes``.
    """

    def __init__(
        self, *, ask: Callable[[], list[Process]], metrics: ProcessMetrics, clock: Clock, control: str = "supervisorctl"
    ) -> None:
        self._ask = ask
        self._metrics = metrics
        self._clock = clock
        self._control = control
        # Replaced, never changed, as other threads read them. None until supervisord has answered once.
        self._processes: dict[str, Process] | None = None
        self._unanswered: str | None = None
        self._ends = Ends()
        self._shown: set[str] = set()  # programs whose series exist
        self._heard = clock()
        self._stopping = False

    @property
    def processes(self) -> list[Process] | None:
        """All that are known; None before supervisord has answered."""
        known = self._processes
        return None if known is None else list(known.values())

    def sync(self) -> bool:
        """Ask supervisord for everything, at the start and whenever it has said something; whether it answered."""
        try:
            found = {process.full_name: process for process in self._ask()}
        except Unavailable as error:
            if not self._stopping:  # then it answers nobody
                log.warning("supervisord cannot be asked", reason=str(error))
                self._unanswered = str(error)
            return False
        self._unanswered = None
        self._hear()
        self._ends.keep_only(found)
        self._know(found)
        return True

    def handle(self, event: Event) -> None:
        """Count what an event tells of, and ask how things are now: events may have waited for us.

        One that cannot be read costs no more than that question.
        """
        self._hear()
        self._stopping = self._stopping or event.name == SHUTDOWN_EVENT
        process = None
        if event.name.startswith(STATE_EVENT):
            try:
                process = self._noted(event.name.removeprefix(STATE_EVENT).lower(), fields(event.payload))
            except (InvalidInput, KeyError) as error:
                log.error("supervisord's event cannot be read", type=event.name, reason=repr(error))
        if not self.sync() and process is not None and self._processes is not None:
            self._know({**self._processes, process.full_name: process})

    def problems(self) -> list[str]:
        """One line for each thing that is wrong now: for ``/healthz``."""
        found = []
        now = self._clock()
        if now - self._heard > SILENT:
            found.append(f"supervisord has sent no sign of life for {now - self._heard:.0f} s")
        if self._unanswered:
            found.append(self._unanswered)
        for process in self.processes or ():
            if process.state in AILING:
                reason = f" ({process.reason})" if process.reason else ""
                found.append(f"{process.full_name} is {process.state.upper()}{reason}: {self._advice(process)}")
            elif self._ends.looping(process.full_name, now):
                found.append(f"{process.full_name} keeps ending: {self._advice(process)}")
        return found

    def _hear(self) -> None:
        self._heard = self._clock()
        self._metrics.supervisor_last_event.set(self._heard)

    def _noted(self, state: str, said: dict[str, str]) -> Process:
        named = Process(said["groupname"], said["processname"], state)
        known = (self._processes or {}).get(named.full_name, named)
        process = msgspec.structs.replace(known, state=state)
        if state in ("exited", "backoff"):
            self._ended(process, expected=state == "exited" and said["expected"] == "1")
        return process

    def _ended(self, process: Process, *, expected: bool) -> None:
        self._metrics.process_exits.labels(process.program, _label(expected)).inc()
        if expected or self._stopping:
            return
        log.warning("a process ended unexpectedly", process=process.full_name)
        if self._ends.add(process.full_name, self._clock()):
            hint = self._advice(process)
            log.error("a process keeps ending", process=process.full_name, ends=LOOP, seconds=WITHIN, hint=hint)

    def _know(self, processes: dict[str, Process]) -> None:
        known, self._processes = self._processes or {}, processes
        for name, process in processes.items():
            was_fatal = name in known and known[name].state == "fatal"
            # What waits to be started again when supervisord is stopped is called fatal, too.
            if process.state == "fatal" and not was_fatal and not self._stopping:
                log.critical("supervisord gave a process up", process=name, hint=self._advice(process))
        self._show(processes.values())

    def _show(self, processes: Iterable[Process]) -> None:
        counts = Counter((process.program, process.state) for process in processes)
        programs = {program for program, _ in counts}
        for program in programs:
            for state in STATES:
                self._metrics.processes.labels(program, state).set(counts[program, state])
            for expected in (True, False):
                self._metrics.process_exits.labels(program, _label(expected))  # from 0, so that the first one shows
        for program in self._shown - programs:
            for state in STATES:
                self._metrics.processes.remove(program, state)
        self._shown = programs

    def _advice(self, process: Process) -> str:
        where = f"see the end of {process.log}" if process.log else "see its log"
        return f"{where}, mend the cause, then: {self._control} restart {process.full_name}"


def _label(expected: bool) -> str:
    return "yes" if expected else "no"
