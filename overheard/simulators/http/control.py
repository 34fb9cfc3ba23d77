"""The control path `/_simulator/…`: the Python API as JSON over HTTP, for other processes.

It needs no token, is not counted, and is not subject to injected failures. A POST takes a JSON object that is checked
against the command's fields (a `*` marks required ones); a wrong one is answered by a 400 that says what is wrong.
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
    "texts": (list,),
    "headers": (dict,),
}


@dataclass(frozen=True, slots=True)
class Command:
    """A method of the Python API, and the JSON fields that it takes, with their types."""

    call: Callable[..., Any]
    fields: Mapping[str, str]
    method: str = "POST"


class Control:
    """Dispatches control requests to commands. GET /_simulator/ lists them."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        name = f"{request.path}/"[len(PREFIX) :].strip("/")
        if not name:
            listed = {
                f"{command.method} {PREFIX}{name}": dict(command.fields) for name, command in self._commands.items()
            }
            return _json(200, listed)
        command = self._commands.get(name)
        if command is None:
            return _json(404, {"error": f"no {PREFIX}{name}; there are: {', '.join(self._commands)}"})
        if request.method != command.method:
            return _json(405, {"error": f"{PREFIX}{name} takes {command.method}"}, allow=command.method)
        try:
            result = command.call(**_arguments(request.body, command.fields))
        except (ValueError, TypeError, KeyError) as error:
            return _json(404 if isinstance(error, KeyError) else 400, {"error": str(error.args[0])})
        return _json(200, {"ok": True} if result is None else result)


def _arguments(body: bytes, fields: Mapping[str, str]) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    for name, value in given.items():
        if name not in fields:
            raise ValueError(f"no field {name!r} here; there are: {', '.join(fields) or 'none'}")
        wanted = fields[name].removesuffix("*")
        # In Python a bool is an int; in JSON, true where a number belongs is a mistake.
        if not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "flag"):
            raise ValueError(f"{name} must be a {wanted}, not {value!r}")
    missing = [name for name, kind in fields.items() if kind.endswith("*") and name not in given]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")
    return given


def _json(status: int, body: object, **headers: str) -> SimulatedResponse:
    return SimulatedResponse(status, json.dumps(body), headers)
