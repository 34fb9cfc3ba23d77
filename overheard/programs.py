"""What supervisord runs: derived from the table of stages, with the two producers beside them."""

from __future__ import annotations

from graphlib import TopologicalSorter

import msgspec

from overheard.stages import STAGES, followers

STAGE_PROCESSES_MAX = 10


class ProgramSpec(msgspec.Struct, frozen=True):
    """One program of supervisord.conf.

    ``command`` is what follows ``python -m``. A process listens on ``[metrics] port`` + ``port`` + its number;
    ``max_processes`` ports from there on are the program's own. ``processes`` is how many run unless the operator says
    otherwise: none of a stage that shares another one's program.
    """

    name: str
    command: str
    port: int
    max_processes: int
    processes: int = 1


def stage_program(name: str) -> ProgramSpec:
    """Return the program of a stage, with all stages that share it."""
    sharing = [stage.name for stage in STAGES.values() if stage.program == name]
    command = " ".join(["actors", *(sharing or [name])])
    return ProgramSpec(name, command, STAGES[name].port, STAGE_PROCESSES_MAX, processes=1 if sharing else 0)


def receivers_first() -> list[str]:
    """Return the stages in the order in which they start: each after those it sends to."""
    receivers: dict[str, list[str]] = {name: [] for name in STAGES}
    for stage in STAGES.values():
        reached = [follower.program for follower in followers(stage)]
        for name in (stage.name, stage.program):
            receivers[name] += [program for program in reached if program != name]
    return list(TopologicalSorter(receivers).static_order())


# In the order in which supervisord starts them; it stops them in the reverse order, so that the work drains.
PROGRAMS: dict[str, ProgramSpec] = {
    program.name: program
    for program in (
        *map(stage_program, receivers_first()),
        ProgramSpec("ingress", "producers ingress", 5, max_processes=3),
        ProgramSpec("tick", "producers tick", 0, max_processes=5),
    )
}
