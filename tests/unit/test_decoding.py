"""Structs are decoded in any number of threads, from the first message on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from overheard.decoding import converter, decode_json

ROOT = Path(__file__).parents[2]

FIRST_USE = """
import sys, threading
from overheard.sources.reddit.items import parse_children, parse_listing

sys.setswitchinterval(1e-6)
post = {"name": "t3_1", "subreddit": "a", "permalink": "/", "created_utc": 1.0, "title": "t"}
answer = {"data": {"children": [{"kind": "t3", "data": post}] * 5}}
barrier, items = threading.Barrier(8), []

def parse():
    barrier.wait()
    items.extend(child.item for child in parse_children(parse_listing(answer).children))

threads = [threading.Thread(target=parse) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(items) == 40 and None not in items
"""


def test_the_first_answers_are_parsed_by_several_threads_at_once() -> None:
    for _ in range(3):  # without the preparation nine of ten such processes crash
        done = subprocess.run([sys.executable, "-c", FIRST_USE], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_no_struct_is_described_at_its_first_use() -> None:
    late = []
    for folder in ("overheard", "actors", "producers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("msgspec."):
                    name = ast.unparse(node.func)
                    typed = any(keyword.arg == "type" for keyword in node.keywords)
                    if name == "msgspec.convert" or (name.endswith(".decode") and typed):
                        late.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert late == [], "use overheard.decoding.converter, or a Decoder made at import"


def test_a_converter_converts_and_refuses() -> None:
    class Pair(msgspec.Struct):
        left: int
        right: str

    to_pair = converter(Pair)
    assert to_pair({"left": 1, "right": "x"}) == Pair(1, "x")
    with pytest.raises(msgspec.ValidationError, match="left"):
        to_pair({"left": "1", "right": "x"})


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, null]}', {"a": [1, None]}),
        (b'["\\ud800", "x"]', ["\ud800", "x"]),
        (b"[1e999, 1]", [float("inf"), 1]),
    ],
)
def test_what_one_value_has_costs_no_other(body: bytes, value: object) -> None:
    assert decode_json(body) == value


@pytest.mark.parametrize("body", [b"", b"secret", b"[1", b"[" * 100_000, b"\xff\xfe", b"9" * 100_000, b"{}{}"])
def test_what_is_not_json_is_a_value_error_that_repeats_nothing(body: bytes) -> None:
    with pytest.raises(ValueError, match="it is not JSON"):
        decode_json(body)
