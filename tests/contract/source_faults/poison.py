"""Spoil single items inside a correct JSON answer: every key of an item gets every kind of wrong value."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from tests.contract.source_faults.responses import CANARY

LONG_TEXT = CANARY * 500_000  # 5 MB


class Verbatim(str):
    """JSON text that is written as it is."""

    __slots__ = ()


MISSING = object()
MARKER = re.compile(r"marker\d+x")

# Values for any key.
VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "true": True,
    "zero": 0,
    "negative": -1,
    "beyond 64 bits": 2**80,
    "a tiny fraction": 1e-300,
    "a huge fraction": 1e300,
    "beyond all bounds": Verbatim("1e999"),
    "an empty text": "",
    "a blank text": " \n\t ",
    "NUL": f"\0{CANARY}\0",
    "half of a surrogate pair": f"{CANARY}\ud800",
    "control characters": "\x01\x1b[31m\x7f\x85\u2028\u202e\ufeff",
    "a number as a text": "17",
    "a very long number as a text": "9" * 5_000,
    "a script": "javascript:alert(1)",
    "another host": f"//{CANARY}.example/",
    "markup without end": "<a href='" * 5_000,
    "deep markup": "<div><b>" * 5_000,
    "an empty list": [],
    "an empty object": {},
    "a list": [CANARY, None, 1],
    "an object": {CANARY: CANARY},
    "a deep list": Verbatim("[" * 200 + "]" * 200),
    "ten years ago": 1_480_000_000,
    "in a thousand years": 33_000_000_000,
    "a date ten years ago": "2016-11-27T12:00:00.000Z",
    "a date in a thousand years": "2999-12-31T23:59:59.999Z",
    "an impossible date": "2026-99-99T99:99:99Z",
}


class Poisoned:
    """A rewrite of JSON answers. ``values`` maps the marker of an item to the wrong value of ``key`` that it gets.

    ``key`` is a path: keys of objects inside of the item. Other items stay as they are.
    """

    def __init__(self, key: Sequence[str], values: dict[str, Any]) -> None:
        self._key = key
        self._values = values
        self.spoiled: set[str] = set()

    def __call__(self, request: SimulatedRequest, answer: SimulatedResponse) -> SimulatedResponse:
        document = decoded(answer)
        verbatim: list[str] = []
        for marker, item in list(marked(document)):
            if marker in self._values and put(item, self._key, self._values[marker], verbatim):
                self.spoiled.add(marker)
        return answer if document is None else replace(answer, text=rendered(document, verbatim))


def marked(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the innermost objects that have a text with a marker as a direct value, each with its marker."""
    if isinstance(document, dict):
        for value in document.values():
            if isinstance(value, str) and (found := MARKER.search(value)):
                yield found.group(), document
                return
        document = list(document.values())
    if isinstance(document, list):
        for value in document:
            yield from marked(value)


def items_with(document: Any, marker: str) -> list[dict[str, Any]]:
    """Return the objects of ``marked`` with this marker."""
    return [item for found, item in marked(document) if found == marker]


def keys_of(item: dict[str, Any], prefix: tuple[str, ...] = (), depth: int = 2) -> Iterator[tuple[str, ...]]:
    """Return the path of every key of an item, of objects inside of it, too."""
    for key, value in item.items():
        yield (*prefix, key)
        if isinstance(value, dict) and len(prefix) < depth:
            yield from keys_of(value, (*prefix, key), depth)


def got(item: Any, key: Sequence[str]) -> Any:
    """Return the value of a key; None if there is none."""
    for each in key:
        item = item.get(each) if isinstance(item, dict) else None
    return item


def put(item: dict[str, Any], key: Sequence[str], value: Any, literals: list[str]) -> bool:
    """Set or remove a key; return False if the item does not have it."""
    *outer, last = key
    inner = got(item, outer)
    if not isinstance(inner, dict) or last not in inner:
        return False
    if value is MISSING:
        del inner[last]
    elif isinstance(value, Verbatim):
        literals.append(value)
        inner[last] = f"literal-{len(literals) - 1}-"
    else:
        inner[last] = copy.deepcopy(value)
    return True


def rendered(document: Any, literals: Sequence[str] = ()) -> str:
    """Return the JSON text. Lone surrogates are escaped, as JSON allows."""
    text = json.dumps(document)
    for number, literal in enumerate(literals):
        text = text.replace(f'"literal-{number}-"', literal)
    return text


def decoded(answer: SimulatedResponse) -> Any:
    """Return the decoded JSON of a response; None if it is not JSON."""
    text = answer.text.decode() if isinstance(answer.text, bytes) else answer.text
    try:
        return json.loads(text)
    except ValueError:
        return None


def reordered(document: Any, order: Callable[[list[Any]], list[Any]]) -> Any:
    """Return the document with another order of every list that has several elements."""
    if isinstance(document, dict):
        return {key: reordered(value, order) for key, value in document.items()}
    if isinstance(document, list):
        inner = [reordered(value, order) for value in document]
        return order(inner) if len(inner) > 1 else inner
    return document


ORDERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "backwards": lambda values: values[::-1],
    "twice": lambda values: values * 2,
    "each twice": lambda values: [value for value in values for _ in range(2)],
    "between nulls": lambda values: [each for value in values for each in (None, value)],
    "between numbers": lambda values: [each for value in values for each in (17, value)],
    "between empty objects": lambda values: [each for value in values for each in ({}, value)],
    "between texts": lambda values: [each for value in values for each in (CANARY, value)],
    "between lists": lambda values: [each for value in values for each in ([], value)],
}


def envelope_keys(document: Any, marker: str) -> list[tuple[str, ...]]:
    """Return the paths of what is around the items: () for a document that is not an object."""
    if not isinstance(document, dict):
        return [()]
    items = [id(item) for item in items_with(document, marker)]
    return [key for key in keys_of(document) if id(document) not in items]
