"""Answers that no server should give, each as a function that makes a simulator's next answers so.

Every text in them contains CANARY, which may occur in no error and in no log line.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

from overheard.simulators.http.injected_failures import InjectedFailures

CANARY = "canary5678"
MANY = 1_000  # more than any source requests in one reading
DRIP_SECONDS = 0.3
TOO_LARGE_BYTES = 17 * 2**20  # above the limit of a response
BOMB_BYTES = 64 * 2**20

Spoil = Callable[[InjectedFailures, str], None]  # of requests whose target matches a pattern


@cache
def bomb(layers: int) -> bytes:
    """Return zeros, compressed ``layers`` times."""
    packer, zeros = zlib.compressobj(9, wbits=31), bytes(2**20)
    packed = b"".join(packer.compress(zeros) for _ in range(BOMB_BYTES // len(zeros))) + packer.flush()
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    return packed


def head(status: str = "200 OK", **headers: str) -> bytes:
    """Return the status line and headers of a response."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _failed(status: int, headers: Mapping[str, str] | None = None) -> Spoil:
    return lambda faults, path: faults.body(f"<{CANARY}>", MANY, path, status=status, headers=headers)


def _body(text: str | bytes, status: int = 200, **headers: str) -> Spoil:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda faults, path: faults.body(text, MANY, path, status=status, headers=named)


def _raw(text: bytes, seconds: float = 0.0) -> Spoil:
    return lambda faults, path: faults.raw(text, MANY, path, seconds=seconds)


def _redirect(status: int, location: str) -> Spoil:
    return _failed(status, {"location": location})


# What a source is told by some intermediary, or not at all. The reading fails, and a later one has everything.
OUTAGES: dict[str, Spoil] = {
    **{f"HTTP {status}": _failed(status) for status in (408, 418, 425, 500, 502, 503, 504, 520, 599)},
    "HTML instead of JSON": lambda faults, path: faults.html(200, MANY, path),
    "HTML and 503": lambda faults, path: faults.html(503, MANY, path),
    "silence": lambda faults, path: faults.timeout(60, MANY, path),
    "a dripping body": lambda faults, path: faults.drip(DRIP_SECONDS, MANY, path),
    "dripping headers": _raw(b"HTTP/1.1 200 OK\r\nx-" + CANARY.encode() * 100, DRIP_SECONDS),
    "truncated": lambda faults, path: faults.truncate(MANY, path),
    "truncated, as if complete": lambda faults, path: faults.truncate(MANY, path, whole_length=False),
    "truncated without a length": _raw(
        head(content_type="application/json") + b'[{"id": 1, "title": "' + CANARY.encode()
    ),
    "truncated in a chunk": _raw(head(transfer_encoding="chunked") + b"ff\r\n[1, " + CANARY.encode()),
    "truncated in the headers": _raw(b"HTTP/1.1 200 OK\r\ncontent-ty"),
    "truncated gzip": _body(gzip.compress(json.dumps([CANARY] * 1000).encode())[:-20], content_encoding="gzip"),
    "reset": lambda faults, path: faults.reset(MANY, path),
    "closed at once": _raw(b""),
    "redirect to itself": _redirect(302, ""),
    "redirect to an address on the server": _redirect(302, "/"),
    "redirect to a file": _redirect(301, f"file:///etc/{CANARY}"),
    "redirect to nothing": _failed(302),
    "redirect to an unreadable address": _redirect(307, f"http://[{CANARY}/"),
    "rubbish called gzip": _body(CANARY, content_encoding="gzip"),
    "rubbish called deflate": _body(CANARY, content_encoding="deflate"),
    "a bomb": lambda faults, path: _body(bomb(1), content_encoding="gzip")(faults, path),
    "a bomb in a bomb": lambda faults, path: _body(bomb(2), content_encoding="gzip, gzip")(faults, path),
    "17 MiB": _body(b"[" + b" " * TOO_LARGE_BYTES + b"]"),
    "a length of 17 GiB": _raw(head(content_length=str(TOO_LARGE_BYTES * 1024)) + b"[" + b" " * 1000),
    "empty": _body(b""),
    "white space": _body(b" \r\n"),
    "another protocol": _raw(f"SSH-2.0-{CANARY}\r\n".encode()),
    "a status that does not exist": _raw(b"HTTP/1.1 999 ?\r\n\r\n"),
    "an invalid length": _raw(head(content_length="-5") + b"[" + CANARY.encode()),
    "an endless header": _raw(head(x=CANARY * 10_000)),
    "a thousand headers": _raw(head(**{f"x{number}": CANARY for number in range(1000)})),
}

ENDLESS = {"silence", "a dripping body", "dripping headers"}  # outages that only the source's own timeout ends

# JSON, or XML, of a wrong form. Nothing is known of what it is about, so everything is read later.
FORMS: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "a number": b"17",
    "a number beyond all bounds": b"1e999",
    "a very long number": b"9" * 100_000,
    "a text": f'"{CANARY}"'.encode(),
    "half of a surrogate pair": b'"\\ud800"',
    "an empty object": b"{}",
    "an object of another kind": json.dumps({CANARY: [CANARY]}).encode(),
    "a list of numbers": b"[1, 2, 3]",
    "a list of nulls": b"[null, null]",
    "a list of lists": b"[[[]]]",
    "a list of texts": json.dumps([CANARY]).encode(),
    "deep lists": b"[" * 100_000,
    "deep lists, closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"data":' * 100_000,
    "an error in its place": json.dumps({"error": CANARY, "message": CANARY}).encode(),
    "NaN": b"[NaN, Infinity]",
    "UTF-16": json.dumps([CANARY]).encode("utf-16"),
    "Latin-1": f'["{CANARY} \xe9"]'.encode("latin-1"),
    "NUL": b"\0" * 1000,
    "control characters": bytes(range(32)) * 100,
    "two documents": b"{}{}",
    "a comment": b"/* */ []",
}

# As text of Retry-After; None: the header is missing.
RETRY_AFTER: dict[str, str | None] = {
    "missing": None,
    "empty": "",
    "seconds": "7",
    "a fraction": "2.5",
    "zero": "0",
    "negative": "-30",
    "huge": "99999999",
    "beyond all bounds": "1e999",
    "very long": "9" * 5000,
    "not a number": "nan",
    "infinity": "-inf",
    "a word": "soon",
    "a past date": "Sun, 06 Nov 1994 08:49:37 GMT",
    "a date far away": "Fri, 31 Dec 9999 23:59:59 GMT",
    "an impossible date": "Fri, 99 Dec 2026 99:99:99 GMT",
    "a date without a zone": "Fri, 27 Nov 2026 17:00:00",
    "ISO 8601": "2026-11-27T17:00:00Z",
    "two values": "5, 10",
    "not ASCII": "\xfcbel",
}


def too_many(retry_after: str | None) -> Spoil:
    """Return a 429 with this Retry-After."""
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return lambda faults, path: faults.body(CANARY, MANY, path, status=429, headers=headers)


def forms() -> Iterator[tuple[str, Spoil]]:
    """Return each wrong form as the body of a 200."""
    return ((name, partial(_form, text)) for name, text in FORMS.items())


def _form(text: bytes, faults: InjectedFailures, path: str) -> None:
    faults.body(text, MANY, path)
