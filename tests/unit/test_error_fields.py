"""Descriptions of errors: always the place, and the text only of our own errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from overheard.chunking import chunks
from overheard.error_fields import log_fields, safe_text, safe_traceback
from overheard.errors import ConfigError, Unavailable
from overheard.schedule import check


def caught(function: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as info:  # noqa: PT011 (any)
        function()
    return info.value


def test_our_own_frames_end_with_the_foreign_one_that_raised() -> None:
    def size(item: str) -> int:
        return int(json.loads(item))

    fields = log_fields(caught(lambda: chunks(["what she wrote"], size)))
    assert fields.keys() == {"error", "at", "frames"}
    assert fields["error"] == "JSONDecodeError"
    first, last = fields["frames"]
    assert first.startswith("overheard/chunking.py:")
    assert last == fields["at"]
    assert last.startswith("json/decoder.py:")
    assert "wrote" not in str(fields)


def test_an_error_of_ours_has_its_text_and_place() -> None:
    fields = log_fields(caught(lambda: check("never")))
    assert fields.keys() == {"error", "at", "reason"}
    assert fields["error"] == "InvalidInput"
    assert fields["at"].startswith("overheard/schedule.py:")
    assert fields["reason"].startswith("'never' is neither an interval")
    assert log_fields(ConfigError(["a", "b"])) == {"error": "ConfigError", "at": "", "reason": "a\nb"}


def test_a_safe_traceback_has_places_causes_and_only_our_texts() -> None:
    def size(item: str) -> int:
        try:
            return int(json.loads(item))
        except ValueError as error:
            raise KeyError(item) from error

    def refuse() -> None:
        try:
            chunks(["what she wrote"], size)
        except KeyError as error:
            raise Unavailable("no database") from error

    text = safe_traceback(caught(refuse))
    assert "wrote" not in text
    lines = text.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "JSONDecodeError", "KeyError", "Unavailable: no database",
    ]  # fmt: skip
    assert any(line.startswith("  overheard/chunking.py:") for line in lines)
    assert lines[lines.index("JSONDecodeError") - 1].startswith("  json/decoder.py:")
    assert safe_text(ValueError("what she wrote")) == "ValueError"


def test_a_safe_traceback_ends_at_a_cycle_or_a_suppressed_context() -> None:
    one, other = ValueError("a"), KeyError("b")
    one.__context__, other.__context__ = other, one
    assert safe_traceback(one).split() == ["KeyError", "ValueError"]
    one.__suppress_context__ = True
    assert safe_traceback(one) == "ValueError"
