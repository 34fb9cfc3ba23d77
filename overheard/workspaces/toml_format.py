"""Read and write workspaces as TOML: ``[[workspace]]`` tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from overheard.channels import ChannelOptions
from overheard.channels.redact import HIDDEN
from overheard.channels.rendering.sanitize import truncate
from overheard.decoding import converter
from overheard.errors import InvalidInput
from overheard.input_files import parse_toml
from overheard.invisible_characters import toml_escaped
from overheard.workspaces.parts import NAME_MAX_CHARS
from overheard.workspaces.spec import ChannelSpec, MuteSpec, QuerySpec, WatchSpec, WorkspaceSpec
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
MESSAGE_MAX_CHARS = 200  # of a validation error, which may repeat a value of any length
# msgspec repeats an invalid choice: one that is far longer than ours may be a secret in the wrong place.
LONG_CHOICE = re.compile(r"(?<=Invalid enum value ).{15,}(?= - at `)", re.DOTALL)
CHOICES = {"kinds": "posts, comments", "mode": "instant, digest, both"}
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
PARTS = {
    "watch": WatchSpec.__struct_fields__,
    "query": QuerySpec.__struct_fields__,
    "channel": ChannelSpec.__struct_fields__,
    "mute": MuteSpec.__struct_fields__,
}


class _WorkspaceFile(msgspec.Struct, forbid_unknown_fields=True):
    workspace: tuple[dict[str, Any], ...] = ()


_to_file = converter(_WorkspaceFile)
_to_spec = converter(WorkspaceSpec)


def read(
    text: str | bytes, where: str, options: ChannelOptions = ANY_ADDRESS, check_limits: LimitCheck = unlimited
) -> list[WorkspaceSpec]:
    """Return the workspaces in a TOML text. Raises InvalidInput with file, workspace, field, and what to do.

    ``options``: what the operator allows channels; by default, only the form of their URLs is checked.
    """
    tables = parse_toml(text if isinstance(text, bytes) else text.encode("utf-8", "replace"), where)
    try:
        file = _to_file(tables)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"{where}: {truncate(str(error), MESSAGE_MAX_CHARS)}; it consists of [[workspace]] tables"
        ) from None
    specs, all_problems = [], []
    for position, table in enumerate(file.workspace, start=1):
        named = truncate(table["slug"], NAME_MAX_CHARS) if isinstance(table.get("slug"), str) else f"number {position}"
        spec, own_problems = _read_one(table, options, check_limits)
        all_problems += [f"{where}: workspace {named}: {problem}" for problem in own_problems]
        if spec is not None:
            specs.append(spec)
    counts = Counter(spec.slug for spec in specs)
    repeated = sorted(slug for slug, count in counts.items() if count > 1)
    all_problems += [f"{where}: workspace {slug} occurs more than once" for slug in repeated]
    if all_problems:
        raise InvalidInput(first_lines(all_problems))
    return specs


def _read_one(
    table: dict[str, Any], options: ChannelOptions, check_limits: LimitCheck
) -> tuple[WorkspaceSpec | None, list[str]]:
    """Return the normalized workspace, or None, and all its problems."""
    found = list(_unknown_keys(table))
    try:
        spec = _to_spec(table)
    except msgspec.ValidationError as error:
        return None, [*found, _with_choices(str(error))]
    found += problems(spec, options, check_limits)
    return (None if found else normalized(spec)), found


def _unknown_keys(table: dict[str, Any]) -> Iterator[str]:
    """Yield a problem for each unknown key, with the valid ones: msgspec would stop at the first, and list none."""
    tables = [("", WorkspaceSpec.__struct_fields__, table)]
    for name, valid in PARTS.items():
        rows = table.get(name)
        tables += [(f"{name}: ", valid, row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    yield from dict.fromkeys(
        f"{where}unknown key {truncate(key, NAME_MAX_CHARS)!r}; valid: {', '.join(valid)}"
        for where, valid, row in tables
        for key in row
        if key not in valid
    )


def _with_choices(message: str) -> str:
    message = LONG_CHOICE.sub(HIDDEN, message)  # before it is cut, which would leave most of a long secret
    choices = next((words for key, words in CHOICES.items() if f".{key}" in message), "")
    valid = f"; valid: {choices}" if choices and "enum" in message else ""
    return f"{truncate(message, MESSAGE_MAX_CHARS)}{valid}"


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
