"""Due times: correct across every change of the clock, and always in the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard import schedule
from overheard.errors import InvalidInput


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def dues(text: str, zone: str, after: str, count: int, fold: int = 0) -> list[str]:
    """Return the next due times, in the zone's wall time with its offset."""
    moment, found = at(after, zone, fold), []
    for _ in range(count):
        moment = schedule.next_due(text, zone, moment)
        found.append(datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat(timespec="minutes")[5:])
    return found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86_400), (" 5 m ", 300), ("366d", 366 * 86_400)],
)
def test_intervals(text: str, seconds: int) -> None:
    assert schedule.interval(text) == seconds
    schedule.check(text)
    assert schedule.next_due(text, "Europe/Berlin", 1000.25) == 1000.25 + seconds


@pytest.mark.parametrize("text", ["0s", "1s", "0m", "367d", "999999d", "999999h"])
def test_intervals_out_of_bounds_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"too often|too seldom"):
        schedule.check(text)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "5", "m", "-5m", "5m5m", "5 minutes", "1.5h", "٥m", "5m\n5m",
        "@daily", "@reboot", "* * * *", "* * * * * *", "0 0 1 1 * 2030",
        "61 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
        "0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "a b c d e", "0 ** * * *",
        "0 22-4 * * *", "0 0 * * sat-sun", "0 0 ? * *", "0 0 15W * *", "0 0 * * L5", "0 0 * * 5#6",
        "H H * * *", "H(0-5) * * * *", "R R * * *", "0 r * * *", "0,R * * * *", "\x00 * * * *",
    ],
)  # fmt: skip
def test_invalid_schedules_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        schedule.check(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("*/15 * * * *", "2026-01-01T00:15"), ("0 9 * * mon-fri", "2026-01-01T09:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 L * *", "2026-01-31T00:00"), ("0 0 * * 5#1", "2026-01-02T00:00"), ("0 0 * * 5L", "2026-01-30T00:00"),
        ("0 0 LW * *", "2026-01-30T00:00"), ("0 0 * mar 7", "2026-03-01T00:00"),
        ("0 22-23,0-4 * * *", "2026-01-01T01:00"), ("  5   4 * * * ", "2026-01-01T04:05"),
        ("0 0 13 * 5", "2026-01-02T00:00"),  # crontab(5): day of month *or* day of week
        ("0 0 */2 * 5", "2026-01-09T00:00"),  # *and* where one of them begins with a star
    ],
)  # fmt: skip
def test_cron_expressions(text: str, first: str) -> None:
    schedule.check(text)
    assert schedule.next_due(text, "UTC", at("2026-01-01")) == at(first)


def test_zones() -> None:
    assert schedule.zone("Europe/Berlin").key == "Europe/Berlin"
    with pytest.raises(InvalidInput, match="did you mean Europe/Berlin"):
        schedule.zone("berlin")
    for name in (
        "",
        " ",
        "Mars/Olympus",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "a\x00b",
        "x" * 5000,
        "\ud800",
    ):
        with pytest.raises(InvalidInput, match="unknown time zone"):
            schedule.zone(name)


# -- changes of the clock, as Debian's cron treats them


def test_spring_in_berlin() -> None:
    """02:00 → 03:00 on 29 March 2026."""
    berlin = ("Europe/Berlin", "2026-03-28T12:00")
    assert dues("30 2 * * *", *berlin, 3) == ["03-29T03:00+02:00", "03-30T02:30+02:00", "03-31T02:30+02:00"]
    assert dues("0 9 * * *", *berlin, 2) == ["03-29T09:00+02:00", "03-30T09:00+02:00"]
    assert dues("0,20 2 * * *", *berlin, 2) == ["03-29T03:00+02:00", "03-30T02:00+02:00"]
    assert dues("*/20 2 * * *", *berlin, 1) == ["03-30T02:00+02:00"], "every 20 minutes of an hour that there is not"
    night = ("Europe/Berlin", "2026-03-29T01:20")
    assert dues("*/30 * * * *", *night, 3) == ["03-29T01:30+01:00", "03-29T03:00+02:00", "03-29T03:30+02:00"]
    assert dues("15 * * * *", *night, 2) == ["03-29T03:15+02:00", "03-29T04:15+02:00"]


def test_autumn_in_berlin() -> None:
    """03:00 → 02:00 on 25 October 2026."""
    assert dues("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == ["10-25T02:30+02:00", "10-26T02:30+01:00"]
    assert dues("30 2 * * *", "Europe/Berlin", "2026-10-25T02:10", 1, fold=1) == ["10-26T02:30+01:00"]
    assert dues("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 4) == [
        "10-25T02:00+02:00", "10-25T02:30+02:00", "10-25T02:00+01:00", "10-25T02:30+01:00",
    ]  # fmt: skip
    assert dues("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:45", 5) == [
        "10-25T02:00+02:00", "10-25T02:30+02:00", "10-25T02:00+01:00", "10-25T02:30+01:00", "10-25T03:00+01:00",
    ]  # fmt: skip


def test_half_an_hour_on_lord_howe() -> None:
    """02:00 → 02:30 on 4 October 2026, and 02:00 → 01:30 on 5 April 2026."""
    howe = "Australia/Lord_Howe"
    assert dues("15 2 * * *", howe, "2026-10-03T12:00", 2) == ["10-04T02:30+11:00", "10-05T02:15+11:00"]
    assert dues("45 2 * * *", howe, "2026-10-03T12:00", 2) == ["10-04T02:45+11:00", "10-05T02:45+11:00"]
    assert dues("*/15 * * * *", howe, "2026-10-04T01:40", 3) == [
        "10-04T01:45+10:30", "10-04T02:30+11:00", "10-04T02:45+11:00",
    ]  # fmt: skip
    assert dues("45 1 * * *", howe, "2026-04-04T12:00", 2) == ["04-05T01:45+11:00", "04-06T01:45+10:30"]
    assert dues("*/15 * * * *", howe, "2026-04-05T01:20", 5) == [
        "04-05T01:30+11:00", "04-05T01:45+11:00", "04-05T01:30+10:30", "04-05T01:45+10:30", "04-05T02:00+10:30",
    ]  # fmt: skip


def test_every_few_hours_stays_on_the_wall_clock_s_hours() -> None:
    assert dues("0 */6 * * *", "Europe/Berlin", "2026-03-28T23:00", 3) == [
        "03-29T00:00+01:00", "03-29T06:00+02:00", "03-29T12:00+02:00",
    ]  # fmt: skip
    assert dues("0 */6 * * *", "Europe/Berlin", "2026-10-24T23:00", 3) == [
        "10-25T00:00+02:00", "10-25T06:00+01:00", "10-25T12:00+01:00",
    ]  # fmt: skip
    assert dues("*/20 * * * *", "Australia/Lord_Howe", "2026-10-04T01:30", 3) == [
        "10-04T01:40+10:30", "10-04T02:40+11:00", "10-04T03:00+11:00",
    ]  # fmt: skip


def test_where_midnight_does_not_exist() -> None:
    """Santiago: 24:00 → 01:00 on 6 September 2026. Beirut: 00:00 → 01:00 on 29 March 2026."""
    assert dues("0 0 * * *", "America/Santiago", "2026-09-05T12:00", 2) == ["09-06T01:00-03:00", "09-07T00:00-03:00"]
    assert dues("30 0 * * *", "Asia/Beirut", "2026-03-28T12:00", 2) == ["03-29T01:00+03:00", "03-30T00:30+03:00"]
    assert dues("0 * * * *", "Asia/Beirut", "2026-03-28T22:30", 3) == [
        "03-28T23:00+02:00", "03-29T01:00+03:00", "03-29T02:00+03:00",
    ]  # fmt: skip


def test_where_midnight_comes_twice() -> None:
    """Beirut: 24:00 → 23:00 on 24 October 2026."""
    assert dues("30 23 * * *", "Asia/Beirut", "2026-10-24T12:00", 2) == ["10-24T23:30+03:00", "10-25T23:30+02:00"]
    assert dues("0 0 * * *", "Asia/Beirut", "2026-10-24T12:00", 2) == ["10-25T00:00+02:00", "10-26T00:00+02:00"]


def test_a_day_that_was_skipped() -> None:
    """Samoa had no 30 December 2011."""
    assert dues("0 9 * * *", "Pacific/Apia", "2011-12-29T08:00", 3) == [
        "12-29T09:00-10:00", "12-31T00:00+14:00", "12-31T09:00+14:00",
    ]  # fmt: skip


def test_however_long_nothing_ran_there_is_one_next_time() -> None:
    assert schedule.next_due("*/5 * * * *", "UTC", at("2026-11-23T09:02:30")) == at("2026-11-23T09:05")
    assert schedule.next_due("0 9 * * *", "UTC", at("2026-11-23T09:00")) == at("2026-11-24T09:00")


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Beirut",
     "Asia/Kathmandu", "Africa/Casablanca", "Pacific/Apia", "America/St_Johns", "Antarctica/Troll"]
)  # fmt: skip
MINUTES = st.sampled_from(["*", "*/5", "*/7", "0", "30", "59", "0,30", "10-20"])
HOURS = st.sampled_from(["*", "*/2", "*/5", "0", "1", "2", "3", "23", "0-23", "1-3", "9-17/2"])
DAYS = st.sampled_from(["*", "1", "15", "31", "L", "*/2"])
MONTHS = st.sampled_from(["*", "3", "10", "4-9", "*/6"])
WEEKDAYS = st.sampled_from(["*", "0", "mon-fri", "sun", "5#1"])


@st.composite
def expressions(draw: st.DrawFn) -> str:
    days, months, weekdays = draw(DAYS), draw(MONTHS), draw(WEEKDAYS)
    if days == "31":
        months = "*"
    if days == "*/2" and "#" in weekdays:  # both are wanted then, which may be months apart
        weekdays = "*"
    return f"{draw(MINUTES)} {draw(HOURS)} {days} {months} {weekdays}"


@settings(max_examples=150, deadline=None)
@given(
    text=expressions() | st.sampled_from(["10s", "5m", "1d"]),
    zone=ZONES,
    after=st.floats(at("2024-01-01"), at("2029-01-01")),
)
def test_the_next_time_is_always_later_than_the_one_before(text: str, zone: str, after: float) -> None:
    schedule.check(text)
    moment = after
    for _ in range(4):
        following = schedule.next_due(text, zone, moment)
        assert following > moment
        moment = following


@settings(max_examples=150, deadline=None)
@given(zone=ZONES, after=st.integers(int(at("2024-01-01")), int(at("2029-01-01"))), step=st.sampled_from([5, 10, 15]))
def test_a_frequent_schedule_keeps_its_pace(zone: str, after: int, step: int) -> None:
    """The next time is never more than a step away, across all changes of the clock."""
    following = schedule.next_due(f"*/{step} * * * *", zone, float(after))
    assert 0 < following - after <= step * 60
    assert datetime.fromtimestamp(following, ZoneInfo(zone)).minute % step == 0


@settings(max_examples=150, deadline=None)
@given(zone=ZONES, day=st.dates(datetime(2024, 1, 1).date(), datetime(2028, 12, 31).date()), hour=st.integers(0, 23))  # noqa: DTZ001
def test_a_fixed_time_is_due_once_a_day(zone: str, day: object, hour: int) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone))
    first = schedule.next_due(f"0 {hour} * * *", zone, noon.timestamp())
    second = schedule.next_due(f"0 {hour} * * *", zone, first)
    days = datetime.fromtimestamp(second, ZoneInfo(zone)).date() - datetime.fromtimestamp(first, ZoneInfo(zone)).date()
    assert days == timedelta(days=1)
    assert 22 <= (second - first) / 3600 <= 26


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("0123456789*/-,L#WHR?smhd jantue@"), max_size=20) | st.text(max_size=12))
def test_any_text_is_refused_or_gives_a_time(text: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    try:
        schedule.check(text)
    except InvalidInput:
        return
    assert schedule.next_due(text, "Europe/Berlin", now) > now


# -- the due time before


@pytest.mark.parametrize(
    ("text", "before", "due"),
    [
        ("0 9 * * *", "2026-11-27T09:00", "2026-11-26T09:00"),
        ("0 9 * * *", "2026-11-27T09:01", "2026-11-27T09:00"),
        ("0 9 * * mon", "2026-11-27T09:00", "2026-11-23T09:00"),
        ("0 9 1 * *", "2026-11-27T09:00", "2026-11-01T09:00"),
        ("0 9 29 2 *", "2026-11-27T09:00", "2024-02-29T09:00"),
        ("*/15 * * * *", "2026-11-27T09:00", "2026-11-27T08:45"),
        # The clock of Berlin: 23 and 25 hours before, and a time that does not exist.
        ("0 9 * * *", "2026-03-29T09:00", "2026-03-28T09:00"),
        ("0 9 * * *", "2026-10-25T09:00", "2026-10-24T09:00"),
        ("30 2 * * *", "2026-03-30T02:30", "2026-03-29T03:00"),
    ],
)
def test_the_due_time_before(text: str, before: str, due: str) -> None:
    known = at(before, "Europe/Berlin")
    assert schedule.due_before(text, "Europe/Berlin", known, known) == at(due, "Europe/Berlin")


@pytest.mark.parametrize(("before", "due"), [(100, 40), (101, 100), (40, -20), (99, 40), (220, 160), (221, 220)])
def test_the_due_time_before_of_an_interval(before: float, due: float) -> None:
    assert schedule.due_before("1m", "UTC", before, 100) == due


def test_a_schedule_without_a_due_time_in_years_was_due_when_they_began() -> None:
    now = at("2103-01-01")
    assert schedule.due_before("0 0 29 2 *", "UTC", now, now) == now - 5 * 366 * 86_400
    with pytest.raises(InvalidInput, match="five fields"):
        schedule.due_before("x", "UTC", now, now)


@given(
    st.sampled_from(["*/20 * * * *", "0 9 * * *", "30 2 * * *", "0,20 2 * * *", "0 0 * * sun", "15 */5 * * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.integers(1_767_222_000, 1_798_758_000),
)
@settings(max_examples=200, deadline=None)
def test_the_due_time_before_is_the_one_before_the_next(text: str, zone: str, moment: int) -> None:
    due = schedule.next_due(text, zone, moment)
    before = schedule.due_before(text, zone, due, due)
    assert before <= moment < due
    assert schedule.next_due(text, zone, before) == due
