"""The soak's oracle and its table must see what goes wrong: a soak that cannot fail says nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.soak.__main__ import tell
from tests.soak.gauges import Life, Reads, Sample
from tests.soak.oracle import HACKER_NEWS, Arrival, Books, Listener, Oracle, Said, Wish
from tests.soak.plan import Plan
from tests.soak.report import broken, tables
from tests.soak.result import HackerNewsReading, Left, Result

ACME = Listener("acme", ("python",), ("posts", "comments"), (Wish(("qone",)), Wish(("qtwo qtwo", "qsix"), "qhiring")))
BOLT = Listener("bolt", ("python", "rust"), ("comments",), (Wish(("qone",)),))
CITE = Listener("cite", ("rust",), ("posts",), (Wish(("qone",)),), hackernews=True)
PAIR, LATER = ("acme", "t3_1"), ("acme", "t3_2")


@pytest.mark.parametrize(
    ("kind", "subreddit", "fields", "audience"),
    [
        ("posts", "python", ("On Qone.", ""), {"acme"}),
        ("comments", "python", ("so qone it is",), {"acme", "bolt"}),
        ("comments", "rust", ("so qone it is",), {"bolt"}),
        ("comments", "linux", ("so qone it is",), set()),
        ("posts", "python", ("qones", "myqone"), set()),
        ("posts", "python", ("", "it is qtwo qtwo"), {"acme"}),
        ("posts", "python", ("it is qtwo", "qtwo"), set()),
        ("posts", "python", ("qsix", "we are qhiring"), set()),
        ("posts", HACKER_NEWS, ("On Qone.", ""), {"cite"}),
        ("comments", HACKER_NEWS, ("so qone it is",), set()),
        ("posts", HACKER_NEWS, ("qtwo", "qtwo"), set()),
    ],
)
def test_who_must_hear_of_it(kind: str, subreddit: str, fields: tuple[str, ...], audience: set[str]) -> None:
    assert Oracle([ACME, BOLT, CITE]).audience(Said("t3_1", kind, subreddit, fields, 0.0)) == audience


def arrival(id: str = "msg_1", item: str = "t3_1", at: float = 5.0) -> Arrival:
    return Arrival("acme", item, id, at)


def books(*arrivals: Arrival, stored: Counter[Any] | None = None) -> Books:
    return Books({PAIR: 1.0}, list(arrivals), Counter([PAIR]) if stored is None else stored)


# Of what appeared at an old place, only a second look would have told.
LATE_AND_LOST = Books({PAIR: 1.0, LATER: 1.0}, [arrival()], Counter([PAIR, LATER]), {LATER[1]})


def result(**fields: Any) -> Result:
    """Of a soak in which all went well, but for ``fields``."""
    sizes = [Sample(0.0, 80.0, 20), Sample(100.0, 81.0, 21)]
    gauges = SimpleNamespace(
        deepest=Counter(fetch=9), depth={"fetch": 0}, connections=[(9, 9)], busiest=10, pause=2.0, unanswered=0,
        longest=lambda kind: Life(kind, sizes), database_sizes=[1.0, 2.0, 3.0],
    )  # fmt: skip
    fine = {
        "plan": Plan(), "complete": True, "said": 1, "books": books(arrival()), "forged": 0,
        "killer": SimpleNamespace(kinds=("fetch", "notify"), kills=Counter(notify=1), ended=[]),
        "gauges": gauges, "reads": Reads(pages=1, firsts=1, feeds=4000), "statuses": {200: 2}, "requests": 2,
        "window": (2, 1000), "left": Left(0, 0, 0, 0), "database_mb": 9.0, "slow": [], "errors": Counter(),
        "seconds": 60.0, "elapsed": 70.0, "drained": 10.0,
    }  # fmt: skip
    return Result(**(fine | fields))


def test_all_bounds_are_kept_when_all_went_well() -> None:
    assert broken(tables(result())) == []
    assert tell(result()) == 0


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ("lost: never received", {"books": Books({PAIR: 1.0, LATER: 1.0}, [arrival()], Counter([PAIR, LATER]))}),
        ("lost: not in the database", {"books": books(arrival(), stored=Counter())}),
        ("received or stored, and uncalled for", {"books": books(arrival(), arrival(item="t3_2"))}),
        ("received or stored, and uncalled for", {"books": books(arrival(), stored=Counter([PAIR, ("acme", "t3_2")]))}),
        ("stored more than once", {"books": books(arrival(), stored=Counter([PAIR, PAIR]))}),
        ("repeats with another id", {"books": books(arrival(), arrival("msg_2"))}),
        ("repeats with the same id", {"books": books(*[arrival()] * 10)}),
        ("signatures that do not hold", {"forged": 1}),
        ("deliveries not sent", {"left": Left(0, 0, 0, 1)}),
        ("coverage gaps", {"left": Left(1, 0, 0, 0)}),
        ("dead letters", {"left": Left(0, 1, 0, 0)}),
        ("answers 429", {"statuses": {200: 2, 429: 1}}),
        ("requests in all", {"requests": 1000}),
        ("further pages, against items / 100 and those of looks", {"reads": Reads(pages=9, firsts=8, feeds=4000)}),
        ("feeds in a request's first page", {"reads": Reads(pages=160, firsts=160, feeds=4000)}),
        ("gaps not filled", {"gaps": Counter(filled=1, lost=1)}),
        ("seconds between two readings of a feed", {"elapsed": 301.0}),
        ("age at delivery, p99", {"books": books(arrival(at=302.0))}),
        ("errors in the logs", {"errors": Counter(["fetch: broke"])}),
    ],
)
def test_what_goes_wrong_is_seen(row: str, fields: dict[str, Any]) -> None:
    wrong = result(**fields)
    assert [figure.name for figure in broken(tables(wrong))] == [row]
    assert tell(wrong) == 1


def test_what_is_late_and_lost_is_seen_by_itself() -> None:
    names = [figure.name for figure in broken(tables(result(books=LATE_AND_LOST)))]
    assert names == ["lost: never received", "mentions of them lost: never received"]


def test_what_is_late_has_ages_of_its_own() -> None:
    books = Books({PAIR: 1.0, LATER: 1.0}, [arrival(), arrival(item="t3_2", at=9.0)], Counter([PAIR, LATER]), {"t3_2"})
    assert books.ages(["acme"]) == [4.0]
    assert books.ages(["acme"], late=True) == [8.0]


def reading(**fields: Any) -> HackerNewsReading:
    return HackerNewsReading(**({"said": 1, "requests": 3, "statuses": {200: 3}, "endpoints": {"item": 1}} | fields))


def test_what_goes_wrong_with_hacker_news_is_seen_by_itself() -> None:
    story = ("acme", "40000001")
    lost = Books({PAIR: 1.0, story: 1.0}, [arrival()], Counter([PAIR, story]))
    names = [figure.name for figure in broken(tables(result(books=lost, hackernews=reading())))]
    assert names == ["lost: never received", "of them lost: never received"]
    wrong = result(hackernews=reading(statuses={200: 2, 429: 1}))
    assert [figure.name for figure in broken(tables(wrong))] == ["other answers than 200"]


@pytest.mark.parametrize(
    ("row", "change"),
    [
        ("fetch: growth in 1.7 min", lambda sample: Sample(sample.at, 95.0, 20)),
        ("fetch: open files at the end", lambda sample: Sample(sample.at, 80.0, 66)),
        ("fetch: memory at the end", lambda sample: Sample(sample.at, 101.0, 20)),
    ],
)
def test_a_process_that_grows_is_seen(row: str, change: Callable[[Sample], Sample]) -> None:
    grown = result()
    grown.killer.kinds = ("fetch",)
    first, last = Sample(0.0, 80.0 if "memory" not in row else 99.0, 20), Sample(100.0, 0.0, 0)
    grown.gauges.longest = lambda kind: Life(kind, [first, change(last)])
    # What is warm is the first sample after the warm-up: here the process is warm from the start.
    grown.plan = Plan(warm_up=0.0)
    assert [figure.name for figure in broken(tables(grown))] == [row]


def test_interrupted_what_is_under_way_is_not_lost() -> None:
    stopped = result(books=books(), complete=False)
    assert "lost: never received" not in [figure.name for figure in broken(tables(stopped))]
    assert tell(stopped) == 130
