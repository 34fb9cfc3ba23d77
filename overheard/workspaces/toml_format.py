"""Read and write workspaces as TOML: ``[[workspace]]`` tables."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from overheard.channels import ChannelOptions
from overheard.channels.rendering.sanitize import truncate
from overheard.decoding import converter
from overheard.errors import InvalidInput
from overheard.input_files import parse_toml
from overheard.invisible_characters import toml_escaped
from overheard.workspaces.parts import NAME_MAX_CHARS
from overheard.workspaces.problems import SpecProblem
from overheard.workspaces.spec import WorkspaceSpec
from overheard.workspaces.table_problems import is_consequence, unknown_keys, without, wrong_types
from overheard.workspaces.toml_lines import TomlLines
from overheard.workspaces.validation import (
    ANY_ADDRESS,
    LimitCheck,
    first_lines,
    normalized,
    problems,
    unlimited,
)

# Generated files of many workspaces are large, but a wrong file must not fill the memory. Chosen, not measured.
FILE_MAX_BYTES = 16 << 20
# Left out of a file where they have their default: most channels and workspaces need none of them.
OPTIONAL = {
    "min_gap",
    "max_per_hour",
    "summary_every",
    "quiet",
    "working",
    "query",
    "author",
    "place",
    "thread",
    "until",
}

_to_spec = converter(WorkspaceSpec)


def read(
    text: str | bytes, where: str, options: ChannelOptions = ANY_ADDRESS, check_limits: LimitCheck = unlimited
) -> list[WorkspaceSpec]:
    """Return the workspaces in a TOML text. Raises InvalidInput with file, line, workspace, key, and what to do.

    ``options``: what the operator allows channels; by default, only the form of their URLs is checked.
    """
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    tables = parse_toml(data, where)
    lines = functools.cache(lambda: TomlLines(data.decode("utf-8-sig")))  # only if there is a problem
    rows = _workspace_tables(tables, where, lines)
    specs, all_problems = [], []
    for position, table in enumerate(rows):
        slug = table.get("slug")
        named = truncate(slug, NAME_MAX_CHARS) if isinstance(slug, str) else f"number {position + 1}"
        spec, own_problems = _read_one(table, options, check_limits)
        lined = [(lines().of_workspace(position, problem.path), problem.text) for problem in own_problems]
        for line, text in sorted(lined, key=lambda each: each[0] or 0):
            all_problems.append(f"{_at(where, line)}: workspace {named}: {text}")
        if spec is not None:
            specs.append(spec)
    counts = Counter(spec.slug for spec in specs)
    repeated = sorted(slug for slug, count in counts.items() if count > 1)
    all_problems += [f"{where}: workspace {slug} occurs more than once" for slug in repeated]
    if all_problems:
        raise InvalidInput(first_lines(all_problems))
    return specs


def _at(where: str, line: int | None) -> str:
    return where if line is None else f"{where}: line {line}"


def _workspace_tables(tables: dict[str, Any], where: str, lines: Callable[[], TomlLines]) -> list[dict[str, Any]]:
    expected = "it consists of [[workspace]] tables"
    if unknown := [key for key in tables if key != "workspace"]:
        raise InvalidInput(
            first_lines(
                [
                    f"{_at(where, lines().of_other(key))}: unknown table {truncate(key, NAME_MAX_CHARS)!r}; {expected}"
                    for key in unknown
                ]
            )
        )
    rows = tables.get("workspace", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(f"{_at(where, lines().of_other('workspace'))}: workspace: {expected}, in double brackets")
    return rows


def _read_one(
    table: dict[str, Any], options: ChannelOptions, check_limits: LimitCheck
) -> tuple[WorkspaceSpec | None, list[SpecProblem]]:
    """Return the normalized workspace, or None, and all its problems."""
    wrong = list(wrong_types(table))
    found = [*unknown_keys(table), *wrong]
    spec = _to_spec(without(table, found))
    further = problems(spec, options, check_limits)
    found += (problem for problem in further if not is_consequence(problem, wrong)) if wrong else further
    return (None if found else normalized(spec)), found


def write(specs: Iterable[WorkspaceSpec], *, ascii_only: bool = False) -> str:
    """Return the workspaces as TOML that ``read`` accepts. ``ascii_only``: for an output that is not UTF-8."""
    lines: list[str] = []
    for spec in specs:
        lines += ["[[workspace]]", *_lines(spec, ascii_only=ascii_only), ""]
    return "\n".join(lines)


def _lines(struct: msgspec.Struct, indent: str = "", *, ascii_only: bool) -> Iterator[str]:
    """Yield a line for each field with a value. Our structs have their tables last, as TOML requires."""

    def text(value: str) -> str:
        # A JSON string is a TOML basic string, provided that DEL is escaped too.
        return toml_escaped(msgspec.json.encode(value).decode(), ascii_only=ascii_only)

    defaults = {field.name: field.default for field in msgspec.structs.fields(struct) if field.name in OPTIONAL}
    for key, value in msgspec.structs.asdict(struct).items():
        if key in defaults and value == defaults[key]:
            continue
        if isinstance(value, int):
            yield f"{indent}{key} = {value}"
        elif isinstance(value, str):
            yield f"{indent}{key} = {text(value)}"
        elif value and isinstance(value[0], str):
            yield f"{indent}{key} = [{', '.join(map(text, value))}]"
        else:
            for row in value or ():
                yield from ("", f"  [[workspace.{key}]]", *_lines(row, "  ", ascii_only=ascii_only))
