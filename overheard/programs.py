"""The programs that supervisord runs: those of the stages, from their table, and the producers."""

from __future__ import annotations

from graphlib import TopologicalSorter

import msgspec

from overheard.stages import STAGES, followers

STAGE_PROCESSES_MAX = 10  # the stages' ports are ten apart: one more would get the next stage's first port


class ProgramSpec(msgspec.Struct, frozen=True):
    """One program of supervisord.conf.

    ``command`` follows ``python -m``. A process listens on ``[metrics] port`` + ``port`` + its number;
    ``max_processes`` ports from there on belong to the program. ``processes`` is the default number of processes: 0 for
    a stage that runs in another stage's program.
    """

    name: str
    command: str
    port: int
    max_processes: int
    processes: int = 1


def stage_program(name: str) -> ProgramSpec:
    """Return the program of a stage; it runs all stages that share it."""
    sharing = [stage.name for stage in STAGES.values() if stage.program == name]
    command = " ".join(["actors", *(sharing or [name])])
    return ProgramSpec(name, command, STAGES[name].port, STAGE_PROCESSES_MAX, processes=1 if sharing else 0)


def receivers_first() -> list[str]:
    """Return the stages in the order of their start: each after those that it sends to."""
    receivers: dict[str, list[str]] = {name: [] for name in STAGES}
    for stage in STAGES.values():
        reached = [follower.program for follower in followers(stage)]
        for name in (stage.name, stage.program):
            receivers[name] += [program for program in reached if program != name]
    return list(TopologicalSorter(receivers).static_order())


# In supervisord's start order. It stops them in reverse, so that messages under way are still processed.
PROGRAMS: dict[str, ProgramSpec] = {
    program.name: program
    for program in (
        *map(stage_program, receivers_first()),
        ProgramSpec("stream", "producers stream bluesky", 8, max_processes=2),
        ProgramSpec("ingress", "producers ingress", 5, max_processes=3),
        ProgramSpec("tick", "producers tick", 0, max_processes=5),
    )
}
