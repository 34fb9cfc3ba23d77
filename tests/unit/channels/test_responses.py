from __future__ import annotations

import pytest

from overheard.channels.responses import parse_retry_after, raise_for_status
from overheard.errors import ChannelGone, DeliveryRefused, PermanentError, RetryableError

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    raise_for_status("h.example", status, None, now=NOW)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 408, 422, 425, 429, 500, 503, 599])
def test_other_statuses_are_retried_after_the_requested_delay(status: int) -> None:
    with pytest.raises(RetryableError, match=rf"h\.example answered {status}") as error:
        raise_for_status("h.example", status, "7", now=NOW)
    assert error.value.delay == 7


@pytest.mark.parametrize(
    ("status", "alone"), [(400, True), (401, True), (404, True), (422, True), (307, False), (408, False), (425, False),
                          (429, False), (500, False), (503, False)]
)  # fmt: skip
def test_a_refusal_concerns_one_delivery_and_a_failure_the_whole_channel(status: int, alone: bool) -> None:
    with pytest.raises(RetryableError) as error:
        raise_for_status("h.example", status, None, now=NOW)
    assert isinstance(error.value, DeliveryRefused) is alone
    with pytest.raises(RetryableError) as error:
        raise_for_status("h.example", status, "7", now=NOW)
    assert not isinstance(error.value, DeliveryRefused), "a delay applies to the whole channel, whatever is sent"


def test_413_is_permanent_for_this_notice() -> None:
    with pytest.raises(PermanentError, match=r"h\.example answered 413 .*: allow bodies of 1 MB") as error:
        raise_for_status("h.example", 413, "7", now=NOW)
    assert not isinstance(error.value, ChannelGone), "another notice may well be taken"
    with pytest.raises(PermanentError, match=r"h\.example answered 413 .*: it takes 4 kB$"):
        raise_for_status("h.example", 413, None, now=NOW, why="it takes 4 kB")


def test_410_is_a_request_to_stop() -> None:
    with pytest.raises(ChannelGone, match=r"h\.example answered 410 Gone"):
        raise_for_status("h.example", 410, None, now=NOW)


def test_the_error_of_a_redirect_says_what_to_do() -> None:
    with pytest.raises(RetryableError, match="set the channel's url to the address that it names"):
        raise_for_status("h.example", 308, None, now=NOW)


@pytest.mark.parametrize(
    ("header", "delay"),
    [
        (None, None),
        ("120", 120),
        ("1.5", 1.5),
        (" 30 ", 30),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 22:12:20 GMT", None),  # in the past
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", 86400),
        ("1e300", 86400),
        ("999999999", 86400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("Tue, 99 Nov 2023 22:14:20 GMT", None),
    ],
)
def test_retry_after_is_parsed_in_every_form(header: str | None, delay: float | None) -> None:
    assert parse_retry_after(header, now=NOW) == delay
