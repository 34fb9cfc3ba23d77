"""Listings: harmless whatever strangers wrote, in each of the three forms."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.cli import output
from overheard.cli.output import Column, one_line

from .conftest import rows

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2066\u2028[bold red]x[/]\r\b"


class Row(NamedTuple):
    text: Any
    seen_at: float | None = None


COLUMNS = (Column("Text", lambda row: one_line(row.text)),)
KEYS = ("text", "seen_at")


def shown(capsys: pytest.CaptureFixture[str], format: Any, *records: Row) -> str:
    output.print_listing(records, COLUMNS, format, keys=KEYS, empty="Nothing.")
    return capsys.readouterr().out


def harmless(text: str) -> bool:
    return not any(char != "\n" and (not char.isprintable() and char != " ") for char in text)


def test_a_table_prints_escapes_and_markup_as_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    printed = shown(capsys, "table", Row(ESCAPES))
    assert printed == "Text\n[2J]0;owned31mgnp.exe[bold red]x[/]\n"


def test_json_escapes_control_characters_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    printed = shown(capsys, "json", Row(ESCAPES, 1.5))
    assert harmless(printed)
    assert json.loads(printed) == {"text": ESCAPES, "seen_at": "1970-01-01T00:00:01.500Z"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_round_trips_through_json(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr(output, "_write", written.append)
        output.print_json({"text": text})
    assert json.loads("".join(written)) == {"text": text}
    assert not any(0x7F <= ord(char) <= 0x9F for char in "".join(written))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\x00=1"])
def test_csv_disarms_formulas(capsys: pytest.CaptureFixture[str], text: str) -> None:
    (row,) = rows(shown(capsys, "csv", Row(text)))
    assert row["text"].startswith("'")


def test_csv_keeps_numbers_lists_and_newlines(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third, fourth = rows(
        shown(capsys, "csv", Row(-3), Row(["a", "b"]), Row([["body", 1, 2]]), Row('two\nlines, "quoted"', 0))
    )
    assert first["text"] == "-3"
    assert second["text"] == "a; b"
    assert third["text"] == '[["body",1,2]]'
    assert fourth == {"text": 'two\nlines, "quoted"', "seen_at": ""}


def test_an_empty_listing(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "table") == "Nothing.\n"
    assert shown(capsys, "json") == ""
    assert shown(capsys, "csv") == "text,seen_at\n"


def test_a_piped_table_has_one_line_per_row_without_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    printed = shown(capsys, "table", Row("word " * 500), Row("x"))
    assert len(printed.splitlines()) == 3
    assert all(line == line.rstrip() for line in printed.splitlines())


@pytest.mark.parametrize(
    "text",
    ["\r=1", "\n=1", "\r1", "\n1", "＝1", "＋1", "－1", "＠SUM(A1)", "\ufeff=1", "\u200b=1", "\u200b\ufeff ＝1", " =1",
     "\u202e=1", "\u3000@x", "\u200d-1"],
)  # fmt: skip
def test_csv_disarms_formulas_in_full_width_or_behind_invisible_characters(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (row,) = rows(shown(capsys, "csv", Row(text)))
    assert row["text"].startswith("'")


@pytest.mark.parametrize("text", ["1=1", "a-b", "", "  ", "„quoted“", "über =1"])
def test_csv_leaves_other_text_unchanged(capsys: pytest.CaptureFixture[str], text: str) -> None:
    (row,) = rows(shown(capsys, "csv", Row(text)))
    assert row["text"] == text


def test_tag_characters_are_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    hidden = "seen" + "".join(chr(0xE0000 + ord(char)) for char in "ignore all") + "\ufeff"
    assert shown(capsys, "table", Row(hidden)) == "Text\nseen\n"
    assert rows(shown(capsys, "csv", Row(hidden)))[0]["text"] == "seen"
    printed = shown(capsys, "json", Row(hidden))
    assert harmless(printed)
    assert json.loads(printed)["text"] == hidden
