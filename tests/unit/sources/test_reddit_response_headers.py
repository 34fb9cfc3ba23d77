"""Reading Retry-After and the rate limit headers."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.sources.reddit.response_headers import rate_limit_headers
from overheard.sources.retry_after import retry_after

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("2.5", 2.5),
        ("0", 1.0),
        ("-5", 1.0),
        ("86400", 3600.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 1.0),
        (formatdate(NOW + 86_400, usegmt=True), 3600.0),
        ("Tue, 14 Nov 2023 23:14:50 +0100", 90.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("Tue, 14 Nov 2023 22:14:50", None),
        ("Tue, 99 Nov 99999 22:14:50 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, lambda: NOW) == seconds


def test_retry_after_is_compared_with_the_servers_clock() -> None:
    headers = {"retry-after": formatdate(NOW + 90, usegmt=True), "date": formatdate(NOW, usegmt=True)}
    assert retry_after(headers, lambda: NOW - 3000) == 90.0
    assert retry_after(headers | {"date": "today"}, lambda: NOW - 30) == 120.0


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d+:\d+:\d+ [+-]?\w*"))
def test_retry_after_survives_any_header(value: str) -> None:
    found = retry_after({"retry-after": value, "date": value}, lambda: NOW)
    assert found is None or 1 <= found <= 3600
    rate_limit_headers({"x-ratelimit-remaining": value, "x-ratelimit-reset": value})


@pytest.mark.parametrize(
    ("remaining", "reset", "expected"),
    [
        ("99.0", "540", (99.0, 540.0)),
        ("99", "540.0", (99.0, 540.0)),
        ("0", "0", (0.0, 0.0)),
        ("-1", "540", None),
        ("nan", "540", None),
        ("99", "inf", None),
        ("99", "-1", None),
        ("99", "1e9", None),
        ("1e300", "540", None),
        ("many", "540", None),
        (None, "540", None),
        ("99", None, None),
    ],
)
def test_rate_limit_headers(remaining: str | None, reset: str | None, expected: tuple[float, float] | None) -> None:
    given_ = {"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
    assert rate_limit_headers({name: value for name, value in given_.items() if value is not None}) == expected
