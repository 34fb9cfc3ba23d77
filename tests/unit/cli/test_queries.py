"""``overheard query test``."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from overheard import input_files

from .conftest import Run, lines, rows

ITEMS = [
    {"name": "t3_1", "title": "Acme DB is fast", "selftext": "I like acme db a lot.", "score": 1.0, "x": {"y": None}},
    {"name": "t3_2", "title": "Other", "selftext": ""},
    {"id": "c1", "body": "we left acme db"},
    {"name": "t1_4", "kind": "comment", "title": "Acme DB is fast", "body": "indeed"},
]


@pytest.fixture
def items(folder: Path) -> Path:
    path = folder / "items.jsonl"
    path.write_text("\n".join(map(json.dumps, ITEMS)) + "\n")
    return path


def test_matching_lines_are_printed_unchanged_with_line_and_highlights(run: Run, items: Path) -> None:
    result = run("query", "test", '"acme db"', "--file", str(items), "--format", "json")
    assert result.exit_code == 0
    assert lines(result.stdout) == [
        {**ITEMS[0], "line": 1, "highlights": [["selftext", 7, 14], ["title", 0, 7]]},
        {**ITEMS[2], "line": 3, "highlights": [["body", 8, 15]]},
    ]
    assert result.stderr == "2 of 4 lines match\n"


def test_numbers_keep_their_spelling(run: Run) -> None:
    line = '{"body":"python","big":123456789012345678901234567890,"e":1e400,"f":1.0}'
    result = run("query", "test", "python", "--file", "-", "--format", "json", input=line)
    assert result.stdout == line[:-1] + ',"line":1,"highlights":[["body",0,6]]}\n'


def test_the_title_of_a_comment_is_not_matched(run: Run, items: Path) -> None:
    result = run("query", "test", "indeed", "--file", str(items), "--format", "json")
    assert [found["line"] for found in lines(result.stdout)] == [4]


def test_a_file_may_be_gzipped_under_any_name(run: Run, items: Path) -> None:
    items.write_bytes(gzip.compress(items.read_bytes()))
    assert len(lines(run("query", "test", "acme", "--file", str(items), "--format", "json").stdout)) == 2


def test_a_damaged_file_is_an_error(run: Run, items: Path) -> None:
    items.write_bytes(gzip.compress(items.read_bytes())[:-12])
    result = run("query", "test", "acme", "--file", str(items))
    assert result.exit_code == 1
    assert "damaged" in result.stderr


def test_unreadable_lines_are_reported_and_skipped(run: Run) -> None:
    given = '\ufeff{"body": "python"}\n\nnonsense\n[1]\n{"body": 7}\n{"body": "python"}'
    result = run("query", "test", "python", "--file", "-", "--format", "json", input=given)
    assert result.exit_code == 1
    assert [found["line"] for found in lines(result.stdout)] == [1, 6]
    assert [line.partition(" skipped")[0] for line in result.stderr.splitlines()[:3]] == [
        "overheard: line 3", "overheard: line 4", "overheard: line 5"
    ]  # fmt: skip
    assert result.stderr.endswith("2 of 5 lines match; 3 unreadable\n")


def test_many_unreadable_lines_are_only_counted(run: Run) -> None:
    result = run("query", "test", "python", "--file", "-", input="x\n" * 25)
    assert result.stderr.count(" skipped: ") == 10
    assert "… and 15 more unreadable lines" in result.stderr


def test_no_match_exits_with_0(run: Run, items: Path) -> None:
    result = run("query", "test", "zebra", "--file", str(items), "--format", "json")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 of 4 lines match\n")


def test_csv(run: Run, items: Path) -> None:
    found = rows(run("query", "test", "acme", "--file", str(items), "--format", "csv").stdout)
    assert [(row["line"], row["found"]) for row in found] == [("1", "acme; Acme"), ("3", "acme")]


def test_table(run: Run, items: Path) -> None:
    result = run("query", "test", "acme", "--file", str(items))
    assert result.stdout.splitlines()[1].split(maxsplit=1) == ["1", "Acme DB is fast | I like acme db a lot."]


def test_a_syntax_error_shows_its_place(run: Run) -> None:
    result = run("query", "test", "acme OR (db")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:3] == ["      acme OR (db", "              ^"]


def test_text(run: Run) -> None:
    assert run("query", "test", "acme", "--text", "we use ACME").stdout == "✓ we use ACME\n"
    assert run("query", "test", "acme", "--text", "we don't").stdout == "✗ No match.\n"
    result = run("query", "test", "acme", "--text", "we use ACME", "--format", "json")
    assert lines(result.stdout) == [{"text": "we use ACME", "line": 1, "highlights": [["text", 7, 11]]}]


def test_without_a_text_the_parsed_query_is_printed(run: Run) -> None:
    assert "acme AND NOT jobs" in run("query", "test", "acme -jobs").stdout
    assert lines(run("query", "test", "acme -jobs", "--format", "json").stdout) == [{"query": "acme AND NOT jobs"}]


def test_wrong_usage(run: Run, items: Path) -> None:
    assert run("query", "test", "acme", "--text", "x", "--file", str(items)).exit_code == 2
    result = run("query", "test", "acme", "--file", "absent.jsonl")
    assert result.exit_code == 1
    assert "absent.jsonl" in result.stderr


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (lambda: gzip.compress(b"\0" * 50_000_000), "a line is longer than 4,194,304 bytes"),
        (lambda: gzip.compress((b" " * 4095 + b"\n") * 10_000), "more than 500 times as large when decompressed"),
        (lambda: b"x" * 5_000_000, "a line is longer"),
        (lambda: b"a,b\n" * 2000, "none of its first 1,000 lines"),
    ],
)  # fmt: skip
def test_a_file_without_items_is_not_read_to_its_end(
    run: Run, folder: Path, content: Callable[[], bytes], hint: str
) -> None:
    (folder / "x").write_bytes(content())
    result = run("query", "test", "acme", "--file", "x")
    assert (result.exit_code, hint in result.stderr) == (2, True), result.stderr


def test_endless_files_folders_and_pipes_are_rejected(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_files, "FIFO_MAX_WAIT_SECONDS", 0.01)
    os.mkfifo(folder / "pipe")
    for path in ("/dev/zero", ".", "pipe"):
        result = run("query", "test", "acme", "--file", path)
        assert (result.exit_code, "Traceback" in result.stderr) == (2, False)
    deep = '{"body": ' + "[" * 100_000 + "]" * 100_000 + "}\n" + json.dumps({"body": "9" * 5000 + " acme"})
    result = run("query", "test", "acme", "--file", "-", "--format", "json", input=deep)
    assert (result.exit_code, len(lines(result.stdout))) == (1, 1)
