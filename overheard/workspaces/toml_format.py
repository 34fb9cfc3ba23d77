"""Workspaces as TOML: ``[[workspace]]`` tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from overheard.channels import ChannelOptions
from overheard.channels.redact import HIDDEN
from overheard.channels.rendering.sanitize import truncate
from overheard.errors import InvalidInput
from overheard.input_files import parse_toml
from overheard.invisible_characters import toml_escaped
from overheard.workspaces.spec import ChannelSpec, QuerySpec, WatchSpec, WorkspaceSpec
from overheard.workspaces.validation import (
    ANY_ADDRESS,
    NAME_MAX_CHARS,
    LimitCheck,
    first_lines,
    normalized,
    problems,
    unlimited,
)

FILE_MAX_BYTES = 16 << 20
SHOWN_CHARS = 200  # of what is wrong
LONG_VALUE = re.compile(r"(?<=Invalid enum value )'[^']{13,}'")  # a word that is none of ours, or a secret
CHOICES = {"kinds": "posts, comments", "mode": "instant, digest"}
PARTS = {
    "watch": WatchSpec.__struct_fields__,
    "query": QuerySpec.__struct_fields__,
    "channel": ChannelSpec.__struct_fields__,
}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    workspace: tuple[dict[str, Any], ...] = ()


def read(
    text: str | bytes, where: str, options: ChannelOptions = ANY_ADDRESS, refusal: LimitCheck = unlimited
) -> list[WorkspaceSpec]:
    """Return the workspaces of a TOML text. Raises InvalidInput with file, workspace, field, and what to do.

    ``options``: what the operator allows channels; where they are left out, only the form is checked here.
    """
    tables = parse_toml(text if isinstance(text, bytes) else text.encode("utf-8", "replace"), where)
    try:
        file = msgspec.convert(tables, _File)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"{where}: {truncate(str(error), SHOWN_CHARS)}; it consists of [[workspace]] tables"
        ) from None
    specs, wrong = [], []
    for position, table in enumerate(file.workspace, start=1):
        named = truncate(table["slug"], NAME_MAX_CHARS) if isinstance(table.get("slug"), str) else f"number {position}"
        spec, found = _read_one(table, options, refusal)
        wrong += [f"{where}: workspace {named}: {LONG_VALUE.sub(HIDDEN, problem)}" for problem in found]
        if spec is not None:
            specs.append(spec)
    counts = Counter(spec.slug for spec in specs)
    doubles = sorted(slug for slug, count in counts.items() if count > 1)
    wrong += [f"{where}: workspace {slug} stands there more than once" for slug in doubles]
    if wrong:
        raise InvalidInput(first_lines(wrong))
    return specs


def _read_one(
    table: dict[str, Any], options: ChannelOptions, refusal: LimitCheck
) -> tuple[WorkspaceSpec | None, list[str]]:
    """Return the tidied workspace, or None, and all that is wrong with it."""
    wrong = list(_unknown_keys(table))
    try:
        spec = msgspec.convert(table, WorkspaceSpec)
    except msgspec.ValidationError as error:
        return None, [*wrong, _explained(str(error))]
    wrong += problems(spec, options, refusal)
    return (None if wrong else normalized(spec)), wrong


def _unknown_keys(table: dict[str, Any]) -> Iterator[str]:
    """Say which keys there are: msgspec would only say which are not, one at a time, and nothing else then."""
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


def _explained(message: str) -> str:
    choices = next((words for key, words in CHOICES.items() if f".{key}" in message), "")
    valid = f"; valid: {choices}" if choices and "enum" in message else ""
    return f"{truncate(message, SHOWN_CHARS)}{valid}"


def write(specs: Iterable[WorkspaceSpec], *, ascii_only: bool = False) -> str:
    """Return the workspaces as TOML, which ``read`` takes back. ``ascii_only``: for an output that is not UTF-8."""
    lines: list[str] = []
    for spec in specs:
        lines += ["[[workspace]]", *_lines(spec, ascii_only=ascii_only), ""]
    return "\n".join(lines)


def _lines(struct: msgspec.Struct, indent: str = "", *, ascii_only: bool) -> Iterator[str]:
    """Yield a line for each field that says something; tables come last in each of ours, as TOML wants them."""

    def text(value: str) -> str:
        # A JSON string is a TOML basic string, once DEL is escaped too.
        return toml_escaped(msgspec.json.encode(value).decode(), ascii_only=ascii_only)

    for key, value in msgspec.structs.asdict(struct).items():
        if isinstance(value, str):
            yield f"{indent}{key} = {text(value)}"
        elif value and isinstance(value[0], str):
            yield f"{indent}{key} = [{', '.join(map(text, value))}]"
        else:
            for row in value or ():
                yield from ("", f"  [[workspace.{key}]]", *_lines(row, "  ", ascii_only=ascii_only))
