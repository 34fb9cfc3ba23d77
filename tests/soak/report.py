"""The table of a soak: each figure beside its limit."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.config import Config
from overheard.db.token_rates import averaged
from tests.benchmarks.figures import Figure
from tests.soak.gauges import DELAYED
from tests.soak.oracle import is_story
from tests.soak.result import SLOW, Result

MOST_MB = 100.0  # of a stage's process, for 10,000 queries
MORE_MB = 2.0  # of match, for each thousand queries more
MOST_GROWTH = 10.0  # MB that a process may grow by once it is warm
# Each of eight threads opens five at its first message: a socket to RabbitMQ, its poll and the pair that wakes it, and
# one to PostgreSQL. A leak of ten minutes under this load would be of hundreds.
MORE_FILES = 45
EFFICIENCY = 1.1  # further pages ≤ this × (new items / 100 + those of second looks)
FULL_FRACTION = 0.6  # of a request's names: groups of busy feeds leave others less than full

Table = tuple[str, list[Figure]]


def tables(result: Result) -> list[Table]:
    """Return titles and figures, the most important first."""
    return [
        ("Nothing lost, nothing twice", _books(result)),
        ("Requests to Reddit", _requests(result)),
        ("Gaps, and what is late", _late(result)),
        ("Hacker News", _hackernews(result)),
        ("Time and room", _time(result)),
        ("Processes: the longest life of each", _processes(result)),
    ]


def broken(found: Sequence[Table]) -> list[Figure]:
    return [figure for _, figures in found for figure in figures if not figure.kept]


def _info(name: str, value: float, unit: str = "") -> Figure:
    return Figure(name, value, unit)


def _most(name: str, value: float, unit: str, bound: float) -> Figure:
    return Figure(name, value, unit, bound, higher_is_better=False)


def _none(name: str, value: float) -> Figure:
    return _most(name, value, "", 0)


def _books(result: Result) -> list[Figure]:
    books, left, kills = result.books, result.left, result.killer.kills
    same, other = books.repeats
    in_flight = Config().notify.threads
    # After an interruption, missing mentions may still be on their way: a figure, but not a failure.
    missing = _none if result.complete else _info
    return [
        _info("kills", kills.total()),
        _info("items said", result.said),
        _info("mentions to arrive", len(books.expected)),
        missing("lost: never received", len(books.lost)),
        missing("lost: not in the database", len(books.unstored)),
        _none("received or stored, and uncalled for", len(books.uncalled_for)),
        _none("stored more than once", books.stored_twice),
        _most("repeats with the same id", same, "", kills["notify"] * in_flight),
        _none("repeats with another id", other),
        _none("signatures that do not hold", result.forged),
        missing("deliveries not sent", left.undelivered),
        _none("coverage gaps", left.gaps),
        _none("dead letters", left.dead),
        _none("events refused", left.aside),
        missing("processes that ended by themselves", len(result.killer.ended)),
        missing("errors in the logs", result.errors.total()),
    ]


def _requests(result: Result) -> list[Figure]:
    plan, done, config = result.plan, result.reads, Config()
    minutes = result.elapsed / 60
    rate = float(plan.config["reddit.requests_per_minute"])
    budget = averaged(rate, config.sources.reddit.burst)
    looks = result.looks  # each reads again, on purpose
    names, more = done.feeds / (done.firsts or 1), result.said / 100 + max(looks.pages - looks.done, 0)
    cycles = done.feeds / (plan.subreddits * 2)
    return [
        _most("requests in all", result.requests, "", budget.per_minute * minutes + budget.burst),
        _most("requests in any ten minutes", result.window[0], "", result.window[1]),
        _info("requests in the busiest minute", result.gauges.busiest),
        _none("answers 429", result.statuses.get(429, 0)),
        _none("other answers than 200", sum(n for status, n in result.statuses.items() if status not in (200, 429))),
        _info("feeds read", done.feeds),
        Figure(
            "feeds in a request's first page", names, "", FULL_FRACTION * min(config.fetch.group_size, plan.subreddits)
        ),
        _info("pages of second looks", looks.pages),
        _most("further pages, against items / 100 and those of looks", done.pages - done.firsts, "", EFFICIENCY * more),
        _most("seconds between two readings of a feed", minutes * 60 / (cycles or 1e-9), "s", plan.interval),
    ]


def _late(result: Result) -> list[Figure]:
    plan, books, looks = result.plan, result.books, result.looks
    late = {pair for pair in books.expected if pair[1] in books.late}
    ages = books.ages({slug for slug, _ in late} - result.digests, late=True)
    missing = _none if result.complete else _info
    open_or_lost = result.gaps.total() - result.gaps["filled"]
    return [
        _info("gaps recorded", result.gaps.total()),
        missing("gaps not filled", open_or_lost),
        _info("items that appeared late at their own place", len(books.late)),
        _info("mentions of them to arrive", len(late)),
        missing("mentions of them lost: never received", len(late & books.lost)),
        _info("second looks", looks.done),
        *([_info("age at delivery of what was late, p50", _quantile(ages, 0.5), "s")] if ages else []),
        *([_most("age at delivery of what was late, p99", _quantile(ages, 0.99), "s", plan.patience)] if ages else []),
    ]


def _hackernews(result: Result) -> list[Figure]:
    reading, books, config = result.hackernews, result.books, Config().sources.hackernews
    if reading is None:
        return []
    ours = {pair for pair in books.expected if is_story(pair)}
    ages = sorted(books.first[pair] - books.expected[pair] for pair in ours & books.first.keys())
    missing = _none if result.complete else _info
    minutes = result.elapsed / 60
    return [
        _info("items said", reading.said),
        _info("mentions to arrive", len(ours)),
        missing("of them lost: never received", len(ours & books.lost)),
        missing("of them lost: not in the database", len(ours & books.unstored)),
        _most("requests in all", reading.requests, "", 60 * config.requests_per_second * minutes),
        _info("requests a minute", reading.requests / minutes),
        _info("requests for an item, for each that was said", reading.endpoints.get("item", 0) / max(reading.said, 1)),
        _none("other answers than 200", sum(n for status, n in reading.statuses.items() if status != 200)),
        *([_info("age at delivery, p50", _quantile(ages, 0.5), "s")] if ages else []),
        *([_most("age at delivery, p99", _quantile(ages, 0.99), "s", result.plan.interval)] if ages else []),
    ]


def _time(result: Result) -> list[Figure]:
    plan, books = result.plan, result.books
    everybody = {slug for slug, _ in books.expected}
    instant, digests = books.ages(everybody - result.digests), books.ages(result.digests)
    figures = [
        _info(f"overheard import of {plan.workspaces:,} workspaces", result.imported, "s"),
        _info("age at delivery, p50", _quantile(instant, 0.5), "s"),
        _most("age at delivery, p99", _quantile(instant, 0.99), "s", plan.interval),
        _info("age at delivery, most", _quantile(instant, 1.0), "s"),
        _info(f"age at delivery of digests (every {plan.digest_every}), p99", _quantile(digests, 0.99), "s"),
        _info("last item → all delivered", result.drained if result.drained is not None else float("nan"), "s"),
        _info("longest time between two looks, 2 s apart", result.gauges.pause, "s"),
        _info("looks at RabbitMQ without an answer", result.gauges.unanswered),
        *_database(result),
        _info(f"statements slower than {SLOW} ms", len(result.slow)),
    ]
    for name, most in sorted(result.gauges.deepest.items()):
        if most:
            figures.append(_info(f"queue {name}, most", most))
            figures.append(_at_the_end(result, name))
    return figures


def _database(result: Result) -> list[Figure]:
    """Its size, and what it has grown by in each half of the time."""
    sizes = result.gauges.database_sizes
    figures = [_info("database", result.database_mb, "MB")]
    if len(sizes) > 2:
        halves = sizes[0], sizes[len(sizes) // 2], sizes[-1]
        figures += [
            _info(f"database: growth in the {which} half", after - before, "MB")
            for which, before, after in (("first", *halves[:2]), ("second", *halves[1:]))
        ]
    return figures


def _at_the_end(result: Result, name: str) -> Figure:
    left = result.gauges.depth.get(name, 0)
    label = f"queue {name}, at the end"
    # Delayed demands wait for their slots in the budget, so that queue is rarely empty.
    return _info(label, left) if name.endswith(DELAYED) or not result.complete else _none(label, left)


def _processes(result: Result) -> list[Figure]:
    figures, more = [], max(0.0, result.queries / 1000 - 10) * MORE_MB
    for kind in result.killer.kinds:
        life = result.gauges.longest(kind)
        if life is None:
            continue
        warm, last = life.grown(result.plan.warm_up)
        minutes = (last.at - warm.at) / 60
        figures += [
            _info(f"{kind}: memory when warm", warm.mb, "MB"),
            _most(f"{kind}: memory at the end", last.mb, "MB", MOST_MB + (more if kind == "match" else 0.0)),
            _most(f"{kind}: growth in {minutes:.1f} min", max(last.mb - warm.mb, 0.0), "MB", MOST_GROWTH),
            _info(f"{kind}: growth an hour, in the second half of its life", life.mb_per_hour(), "MB"),
            _info(f"{kind}: open files when warm", warm.files),
            _most(f"{kind}: open files at the end", last.files, "", warm.files + MORE_FILES),
        ]
    connections = result.gauges.connections
    if connections:
        for position, server in enumerate(("RabbitMQ", "PostgreSQL")):
            figures.append(_info(f"connections to {server}, most", max(each[position] for each in connections)))
            figures.append(_info(f"connections to {server}, at the end", connections[-1][position]))
    return figures


def _quantile(sorted_values: Sequence[float], share: float) -> float:
    if not sorted_values:
        return float("nan")
    return sorted_values[min(int(len(sorted_values) * share), len(sorted_values) - 1)]
