"""The control door `/_simulator/…`: what the Python API does, in JSON over HTTP, for other processes.

It needs no token, is not counted and never spoilt. A POST takes a JSON object, checked against the fields below (a
`*` marks those that must be there); a wrong one is a 400 that says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .exchange import SimulatedRequest, SimulatedResponse

PREFIX = "/_simulator/"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "count": (int,),
    "flag": (bool,),
    "headers": (dict,),
}


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to ask for: a method of the Python API and the JSON fields it takes, with their types."""

    call: Callable[..., Any]
    fields: Mapping[str, str]
    method: str = "POST"


class Control:
    """Dispatches control requests to commands; GET /_simulator/ lists them."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        name = f"{request.path}/"[len(PREFIX) :].strip("/")
        if not name:
            listed = {f"{each.method} {PREFIX}{key}": dict(each.fields) for key, each in self._commands.items()}
            return _json(200, listed)
        command = self._commands.get(name)
        if command is None:
            return _json(404, {"error": f"no {PREFIX}{name}; there are: {', '.join(self._commands)}"})
        if request.method != command.method:
            return _json(405, {"error": f"{PREFIX}{name} takes {command.method}"}, allow=command.method)
        try:
            result = command.call(**_arguments(request.body, command.fields))
        except (ValueError, TypeError, KeyError) as wrong:
            return _json(404 if isinstance(wrong, KeyError) else 400, {"error": str(wrong.args[0])})
        return _json(200, {"ok": True} if result is None else result)


def _arguments(body: bytes, fields: Mapping[str, str]) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError as wrong:
        raise ValueError(f"the body is not JSON: {wrong}") from wrong
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    for name, value in given.items():
        if name not in fields:
            raise ValueError(f"no field {name!r} here; there are: {', '.join(fields) or 'none'}")
        wanted = fields[name].removesuffix("*")
        # A bool is an int to Python, not to whoever wrote the JSON.
        if not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "flag"):
            raise ValueError(f"{name} must be a {wanted}, not {value!r}")
    missing = [name for name, kind in fields.items() if kind.endswith("*") and name not in given]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")
    return given


def _json(status: int, body: object, **headers: str) -> SimulatedResponse:
    return SimulatedResponse(status, json.dumps(body), headers)
