from __future__ import annotations

import pytest

from overheard.operations.wording import ago, counted, first_names, span, until

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (45, "45 s"), (89, "89 s"), (113, "2 min"), (3600, "60 min"), (7200, "2 h"), (86400, "24 h"),
     (10 * 86400, "10 days"), (-5, "0 s")],
)  # fmt: skip
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_ago_and_until() -> None:
    assert ago(NOW - 180, NOW) == "3 min ago"
    assert ago(NOW + 2, NOW) == "just now"
    assert ago(None, NOW) == ago(0, NOW) == "never"
    assert until(NOW + 180, NOW) == "in 3 min"
    assert until(NOW - 1, NOW) == "now"


def test_counted_and_first_names() -> None:
    assert [counted(number, "query") for number in (0, 1, 2000)] == ["0 queries", "1 query", "2,000 queries"]
    assert first_names(["a", "b"], 2) == "a, b"
    assert first_names(["a", "b", "c"], 2) == "a, b and 1 more"
