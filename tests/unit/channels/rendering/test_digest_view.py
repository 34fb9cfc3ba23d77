from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overheard.channels.rendering.digest_view import DigestView, digest_versions, fullest
from overheard.channels.rendering.near_hit import near_hit
from overheard.channels.rendering.view import mention_view
from overheard.notices import Notice, PlaceCount, PublicMention, Totals

MakeMention = Callable[..., PublicMention]
NOW = 1_795_770_000.0  # 2026-11-27T09:00:00Z
SINCE, UNTIL = "2026-11-26T08:00:00.000Z", "2026-11-27T08:00:00.000Z"


@pytest.fixture
def found(mention: MakeMention) -> Callable[..., list[PublicMention]]:
    """Return mentions of a query in a place, each with an id of its own."""
    ids = iter(range(10_000))

    def make(count: int, *queries: str, **changes: Any) -> list[PublicMention]:
        return [mention(id=str(next(ids)), queries=queries or ("brand",), **changes) for _ in range(count)]

    return make


def digest(mentions: list[PublicMention], **changes: Any) -> Notice:
    by_query: dict[str, int] = {}
    for query in (query for each in mentions for query in each.queries):
        by_query[query] = by_query.get(query, 0) + 1
    totals = {
        "total": len(mentions),
        "by_query": dict(sorted(by_query.items(), key=lambda pair: -pair[1])),
        "by_place": (PlaceCount("reddit", "python", len(mentions)),),
        "since": SINCE,
        "until": UNTIL,
        **changes,
    }
    return Notice(
        "d1", "digest", "acme", tuple(mentions), totals=Totals(**totals), name="Acme", timezone="Europe/Berlin"
    )


def first(notice: Notice) -> DigestView:
    return next(digest_versions(notice, NOW))


def test_a_digest_is_headed_by_workspace_period_and_numbers(found: Any) -> None:
    by_day = (("2026-11-26", 30), ("2026-11-27", 7))
    view = first(digest(found(37), before=25, by_day=by_day, at_once=3, muted=1))
    assert view.heading == "Acme"
    assert view.period == "Thu 26 Nov 09:00 – Fri 27 Nov 09:00 (Europe/Berlin)"
    assert view.summary == "37 mentions, 12 more than the day before"
    assert view.notes == ("3 of them were sent at once, and not repeated here", "1 more is muted, and not counted")
    assert view.days == (), "the parts of the two days say nothing"
    assert view.order == "newest first"


def test_a_digest_of_several_days_has_a_bar_for_each(found: Any) -> None:
    by_day = (("2026-11-25", 0), ("2026-11-26", 30), ("2026-11-27", 7))
    view = first(digest(found(37), since="2026-11-25T08:00:00.000Z", by_day=by_day))
    assert [(day.label, day.count, day.bar) for day in view.days] == [
        ("Wed 25 Nov", 0, ""),
        ("Thu 26 Nov", 30, "█" * 10),
        ("Fri 27 Nov", 7, "██▍"),
    ]


@pytest.mark.parametrize(
    ("since", "until", "before", "period", "change"),
    [
        ("11-25T23:00", "11-26T23:00", 1, "Thu 26 Nov", ", as many as the day before"),
        ("11-19T23:00", "11-26T23:00", 0, "Fri 20 Nov – Thu 26 Nov", ", none the week before"),
        # 23 and 25 hours: the clock is changed in between.
        ("03-28T08:00", "03-29T07:00", 3, "Sat 28 Mar 09:00 – Sun 29 Mar 09:00", ", 2 fewer than the day before"),
        ("10-24T07:00", "10-25T08:00", 0, "Sat 24 Oct 09:00 – Sun 25 Oct 09:00", ", none the day before"),
        ("11-26T08:00", "11-29T08:00", 0, "Thu 26 Nov 09:00 – Sun 29 Nov 09:00", ", none the 3 days before"),
        ("11-26T08:00", "11-26T14:00", 0, "Thu 26 Nov 09:00 – Thu 26 Nov 15:00", ", none the 6 hours before"),
        ("11-26T08:00", "11-26T08:15", 0, "Thu 26 Nov 09:00 – Thu 26 Nov 09:15", ", none the period before"),
        ("11-26T08:00", "11-27T08:00", None, "Thu 26 Nov 09:00 – Fri 27 Nov 09:00", ""),
    ],
)
def test_a_period_is_said_in_the_workspace_s_zone(
    found: Any, since: str, until: str, before: int | None, period: str, change: str
) -> None:
    view = first(digest(found(1), since=f"2026-{since}:00Z", until=f"2026-{until}:00Z", before=before))
    assert (view.period, view.summary) == (f"{period} (Europe/Berlin)", f"1 mention{change}")
    assert view.days == ()


def test_groups_are_by_query_the_rarest_first_then_by_place_with_the_newest_row_first(found: Any) -> None:
    mentions = [
        *found(1, "jobs", place="rust", title="Old job"),
        *found(2, "brand", place="python", title="Brand"),
        *found(1, "brand", place="linux", title="Elsewhere"),
        *found(1, "brand", "jobs", place="rust", title="Both"),
    ]
    places = {"brand": (PlaceCount("reddit", "python", 2), PlaceCount("reddit", "linux", 1))}
    view = first(digest(mentions, places_of=places))
    shown = [
        (group.query, group.count, group.more, place.place, place.count, [row.view.title[0].text for row in place.rows])
        for group in view.groups
        for place in group.places
    ]
    assert shown == [
        ("jobs", 2, 0, "r/rust", 2, ["Both", "Old job"]),
        ("brand", 4, 0, "r/python", 2, ["Brand", "Brand"]),
        ("brand", 4, 0, "r/linux", 1, ["Elsewhere"]),
    ]
    assert view.more == 0


def test_ten_are_shown_in_full_and_those_of_each_query_in_turn(found: Any) -> None:
    view = first(digest([*found(3, "jobs"), *found(60, "brand")]))
    full = {
        group.query: [row.full for place in group.places for row in place.rows].count(True) for group in view.groups
    }
    assert full == {"brand": 7, "jobs": 3}
    assert sum(len(place.rows) for group in view.groups for place in group.places) == 63


def test_smaller_versions_keep_true_numbers_and_the_rows_of_quiet_queries(found: Any) -> None:
    notice = digest([*found(2, "jobs"), *found(60, "brand")], total=5000, by_query={"brand": 4998, "jobs": 2})
    versions = list(digest_versions(notice, NOW))
    sizes = [sum(len(place.rows) for group in view.groups for place in group.places) for view in versions]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 62
    assert sizes[-1] == 0
    for view, size in zip(versions, sizes, strict=True):
        assert view.summary == "5,000 mentions"
        assert view.more == 5000 - size
        rows = {group.query: sum(len(place.rows) for place in group.places) for group in view.groups}
        if size >= 4:
            assert rows["jobs"] == 2
        assert all(group.more == group.count - rows[group.query] for group in view.groups)
    last = versions[-1]
    assert (last.groups, last.unshown, last.days) == ((), "", ())


def test_a_query_without_a_row_is_named_with_what_it_found(found: Any) -> None:
    view = first(digest(found(2), total=7, by_query={"brand": 2, "jobs": 5}))
    assert view.unshown == "jobs 5"
    assert view.more == 5


def test_of_very_many_queries_without_a_row_the_others_are_counted(found: Any) -> None:
    view = first(digest(found(2), total=42, by_query={"brand": 2, **{f"query {n}": 1 for n in range(40)}}))
    assert view.unshown == "query 0 1, query 1 1, query 2 1, query 3 1, query 4 1, query 5 1 and 34 more queries"


def test_a_count_stays_behind_a_name_that_is_written_right_to_left(found: Any) -> None:
    view = first(digest(found(2), total=7, by_query={"brand": 2, "\u0646\u0635": 5}))
    assert view.unshown == "\u0646\u0635\u200e 5"


def test_a_query_whose_mentions_are_rows_of_another_one_is_not_called_not_shown(mention: Any) -> None:
    both = [mention(id=str(n), queries=("brand", "jobs")) for n in range(2)]
    view = first(digest(both, total=2, by_query={"brand": 2, "jobs": 2}))
    assert ([group.query for group in view.groups], view.unshown) == (["brand"], "")


def test_what_was_sent_at_once_is_counted_but_not_called_more(found: Any) -> None:
    view = first(digest(found(2), total=6, by_query={"brand": 6}, at_once=4, at_once_of={"brand": 4}))
    assert [(group.count, group.more) for group in view.groups] == [(6, 0)]
    assert view.more == 0


def test_a_compact_row_names_a_post_by_its_title_and_a_comment_by_its_text(found: Any) -> None:
    mentions = [*found(1, kind="post", title="The title"), *found(1, kind="comment", body="an acme db comment")]
    rows = [row for group in first(digest(mentions)).groups for place in group.places for row in place.rows]
    assert ["".join(part.text for part in row.line) for row in rows] == ["an acme db comment", "The title"]


def test_a_compact_row_has_the_part_of_a_long_title_around_the_hit(found: Any) -> None:
    title = f"{'Something else entirely. ' * 6}And acme db, at last. {'Something else again. ' * 3}"
    at = title.index("acme db")
    [mention] = found(1, kind="post", title=title, body="", highlights=(("title", at, at + 7),))
    line = first(digest([mention])).groups[0].places[0].rows[0].line
    text = "".join(part.text for part in line)
    assert ("acme db", True) in line
    assert len(text) <= 93, "with an ellipsis at each end, and a space after a full stop"
    assert (text[0], text[-1]) == ("…", "…")


def test_the_fullest_version_that_fits_is_rendered(found: Any) -> None:
    notice = digest(found(100))
    sizes = [len(repr(view)) for view in digest_versions(notice, NOW)]
    for limit in (sizes[0], sizes[0] - 1, sizes[5], 1):
        text = fullest(notice, NOW, repr, lambda text, limit=limit: len(text) <= limit)
        assert len(text) == next((size for size in sizes if size <= limit), sizes[-1])


def test_the_days_of_a_long_period_are_shown_by_week(found: Any) -> None:
    by_day = tuple((f"2026-{10 + n // 30:02}-{n % 30 + 1:02}", 1) for n in range(60))
    view = first(digest(found(60), by_day=by_day, since="2026-10-01T00:00:00.000Z"))
    assert [day.count for day in view.days] == [7] * 8 + [4]
    assert view.days[-1].share == 4 / 7


@pytest.mark.parametrize("position", [0, 90, 5_000, 20_000, 39_990])
def test_the_excerpt_of_a_very_long_text_is_the_same_as_if_all_of_it_was_read(found: Any, position: int) -> None:
    text = "some other words of it. " * 1_700
    body = f"{text[:position]} acme db {text[position:]}"
    [mention] = found(1, body=body, title="")
    view = first(digest([mention])).groups[0].places[0].rows[0].view
    whole = mention_view(mention, "Europe/Berlin", NOW)
    assert (view.excerpt, view.title) == (whole.excerpt, whole.title)
    assert "acme db" in [part.text for part in view.excerpt if part.hit]
    cut = len(near_hit(mention).body)
    assert cut <= 4_000
