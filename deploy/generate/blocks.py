"""Generated blocks in hand-written files: made from tables in code, between two lines that name them.

# generated: NAME (make generate)
…
# end: NAME
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from deploy.generate.query_tables import cheat_sheet, examples, recipes
from overheard.operations.query_topics import RECIPES_TOPIC, TOPICS
from overheard.programs import PROGRAMS, ProgramSpec
from overheard.stages import STAGES

ROOT = Path(__file__).parents[2]
FIRST_PORT = 9400  # the default of [metrics] port


def replace_block(text: str, name: str, block: str) -> str:
    """Return ``text`` with ``block`` between the lines that name it."""
    between = re.compile(
        rf"(^[^\n]*\bgenerated: {name}\b[^\n]*\n).*?(^[^\n]*\bend: {name}\b)", re.MULTILINE | re.DOTALL
    )
    replaced, count = between.subn(lambda match: f"{match[1]}{block}{match[2]}", text)
    if count != 1:
        raise ValueError(f"want one block {name}, found {count}")
    return replaced


def files_with_blocks() -> Iterator[tuple[str, str]]:
    """Yield the path and the whole new text of each file with a block."""
    for path, blocks in GENERATED_BLOCKS.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        for name, make in blocks.items():
            text = replace_block(text, name, make())
        yield path, text


def supervisord() -> str:
    return "".join(_section(program, 10 * (number + 1)) for number, program in enumerate(PROGRAMS.values()))


def _section(program: ProgramSpec, priority: int) -> str:
    return f"""
[program:{program.name}]
command = /opt/overheard/current/venv/bin/python -m {program.command} --process %(process_num)d
process_name = %(program_name)s_%(process_num)d
numprocs = {program.processes}
priority = {priority}
autorestart = true
startsecs = 15
startretries = 100
exitcodes = 0
stopsignal = TERM
stopasgroup = false
killasgroup = true
stopwaitsecs = 40
redirect_stderr = true
stdout_logfile = /var/log/overheard/%(program_name)s_%(process_num)d.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 5
"""


def permissions() -> str:
    readable = rf"^(overheard\.(events|unrouted|ingress|rejected)|({'|'.join(STAGES)})(\.[DX]Q)?)$"
    writable = r"^(amq\.default|overheard\.(events|unrouted|ingress))$"
    return f"overheard {readable} {writable} {readable}\n"


def port_offsets() -> str:
    return (
        f"METRICS_OFFSETS=({' '.join(str(port) for port in sorted(program.port for program in PROGRAMS.values()))})\n"
    )


def port_table() -> str:
    """Return README's table: a column for each program."""
    row = [(_label(program), FIRST_PORT + program.port) for program in _programs_by_port()]
    heads = " | ".join(f"`overheard run`, {name}" if name == "tick" else name for name, _ in row)
    return f"| {heads} |\n|{'---|' * len(row)}\n| {' | '.join(str(port) for _, port in row)} |\n"


def port_list() -> str:
    """Return the runbook's list: a line for each program that runs by default."""
    return "".join(
        f"- {_label(program)}: {FIRST_PORT + program.port}\n" for program in _programs_by_port() if program.processes
    )


def _programs_by_port() -> list[ProgramSpec]:
    return sorted(PROGRAMS.values(), key=lambda program: program.port)


def _label(program: ProgramSpec) -> str:
    shared = [stage.name for stage in STAGES.values() if stage.program == program.name != stage.name]
    return f"{program.name} (with {' and '.join(shared)})" if shared else program.name


GENERATED_BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "deploy/supervisord/supervisord.conf": {"programs": supervisord},
    "deploy/rabbitmq/permissions": {"permissions": permissions},
    "deploy/lib/metrics.sh": {"offsets": port_offsets},
    "README.md": {"ports": port_table},
    "docs/runbook.md": {"ports": port_list},
    "docs/queries.md": {
        RECIPES_TOPIC: recipes,
        "syntax": cheat_sheet,
        **{topic: partial(examples, topic) for topic in TOPICS},
    },
}
