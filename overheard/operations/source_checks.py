"""Live checks of sources: each is asked for something that always exists, or for each of its watched places.

A source that can be asked for many places at once is asked for all that are watched, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pkgutil import resolve_name

import msgspec

from overheard.channels.redact import redact
from overheard.config import Config
from overheard.db import source_facts
from overheard.db.database import Db
from overheard.db.place_checks import ABSENT
from overheard.errors import (
    BudgetExhausted,
    ConfigError,
    FeedRefused,
    InvalidInput,
    LoginRefused,
    PermanentError,
    RetryableError,
)
from overheard.items import ALL, FeedKind, place_key
from overheard.operations.source_reports import SourceReport, State, source_reports
from overheard.operations.wording import counted, first_names, span
from overheard.permits import UnlimitedPermit
from overheard.process import RunningProcess
from overheard.sources import GroupLimit, PlaceCheck, ReadRequest, RequestTokens, SingleFeedSource, Source
from overheard.sources.registry import SOURCES, place_label, request_budget

CHECK_TIMEOUT_SECONDS = 5.0  # whatever a poll may take: a user waits for a check; chosen, not measured
PLACES_SECONDS = 30.0  # for all places of a source, which are asked one after the other
PLACES_NAMED = 3

OpenBudget = Callable[[str], RequestTokens]  # called with the budget's key
WatchedPlace = tuple[FeedKind, str]


def check(
    running: RunningProcess, db: Db | None, name: str | None, open_budget: OpenBudget, *, without: str | None = None
) -> Iterator[SourceReport]:
    """Ask the source of this name, or the sources that have a watched place of this name; yield their live reports.

    Without a name, ask all watched sources, but not ``without``. ``db`` is None if there is none
    yet. Nothing is recorded. Raises InvalidInput for a name that is neither.
    """
    reports = {each.source: each for each in source_reports(db, running.config, running.clock())}
    watched = {source: source_facts.watched_places(db, source) if db is not None else [] for source in reports}
    for source, places in _targets(name, watched, reports).items():
        if source == without:
            continue
        report = reports[source]
        state, reason = _ask(running, source, places, open_budget, one_by_one=name not in (None, source))
        since = report.since if state == report.state else None
        yield msgspec.structs.replace(report, state=state, reason=reason, since=since)


def _targets(
    name: str | None, watched: dict[str, list[WatchedPlace]], reports: dict[str, SourceReport]
) -> dict[str, list[WatchedPlace]]:
    """Return the sources to ask, each with the places to ask for."""
    if name is None:
        return {source: places for source, places in watched.items() if reports[source].is_watched}
    if name in reports:
        return {name: watched[name]}
    found = {
        source: [each for each in places if _is_named(name, source, each[1])] for source, places in watched.items()
    }
    if not any(found.values()):
        shown = redact(name) if "://" in name else repr(name)
        raise InvalidInput(f"{shown} is neither a source nor a watched place; sources: {', '.join(reports)}")
    return {source: places for source, places in found.items() if places}


def _is_named(name: str, source: str, place: str) -> bool:
    return place in (name, place_key(name)) or name.lower() == place_label(source, place).lower()


def _ask(
    running: RunningProcess,
    source: str,
    places: Sequence[WatchedPlace],
    open_budget: OpenBudget,
    *,
    one_by_one: bool,
) -> tuple[State, str | None]:
    """Return a source's state, and the reason. ``one_by_one``: read the places, where that says more of them."""
    config = running.config
    if (missing := SOURCES[source].missing_setting(config)) is not None:
        return "off", missing
    try:
        opened: Source = resolve_name(SOURCES[source].factory)(
            _impatient(config, source), running.metrics, running.clock
        )
    except ConfigError as error:
        return "off", error.problems[0]
    budget = request_budget(source, config)
    tokens = open_budget(budget.key) if budget is not None else UnlimitedPermit()
    try:
        # It has no server of its own to ask: its places are on those of others, or it makes no requests.
        if getattr(type(opened), "probe", None) is SingleFeedSource.probe:
            return _ask_places(running, opened, places, tokens)
        if one_by_one and isinstance(opened, PlaceCheck):
            return _ask_places(running, opened, _of_one_kind(places), tokens)
        opened.probe(tokens)
        return "ok", _unreadable(opened, places, tokens) if isinstance(opened, PlaceCheck) else None
    except BudgetExhausted as error:
        return "ok", f"not asked: the request budget is used up for the next {span(error.delay)}"
    except LoginRefused as error:
        return "revoked", str(error)
    except (RetryableError, PermanentError) as error:
        return "failing", str(error)
    finally:
        opened.close()


def _of_one_kind(places: Sequence[WatchedPlace]) -> list[WatchedPlace]:
    return [(kind, place) for place, kind in {place: kind for kind, place in places}.items()]


def _unreadable(source: Source, places: Sequence[WatchedPlace], tokens: RequestTokens) -> str | None:
    """Return which of the places cannot be read, as the source says of many at once; None if all can."""
    limit = GroupLimit(SOURCES[source.name].places_size or 1, source.group_limit.name_bytes)
    left = [place for _, place in _of_one_kind(places) if place != ALL]
    found: list[str] = []
    until = time.monotonic() + PLACES_SECONDS
    while left and isinstance(source, PlaceCheck) and time.monotonic() < until:
        asked = limit.first(left)
        try:
            answers = source.check_places(asked, tokens)
        except (BudgetExhausted, RetryableError, PermanentError):
            break  # it has just answered; what is refused is in status
        found += [
            f"{place_label(source.name, answer.place)} ({ABSENT if answer.state == 'missing' else answer.state})"
            for answer in answers
            if answer.state != "ok"
        ]
        left = left[len(asked) :]
    partly = f"{counted(len(left), 'place')} not asked for" if left else None
    if not found:
        return partly
    listed = f"{counted(len(found), 'place')} cannot be read: {first_names(found, PLACES_NAMED)}"
    return f"{listed}; {partly}" if partly else listed


def _ask_places(
    running: RunningProcess, source: Source, places: Sequence[WatchedPlace], tokens: RequestTokens
) -> tuple[State, str | None]:
    """Read a page of each place, and forget it."""
    failures, asked = [], 0
    until = time.monotonic() + PLACES_SECONDS
    for kind, place in places:
        if time.monotonic() > until:
            break
        try:
            source.read(ReadRequest(kind=kind, places=(place,), since=running.clock()), tokens)
        except BudgetExhausted:
            continue  # its server has been asked often enough
        except FeedRefused as error:
            failures.append(f"{place_label(source.name, place)} ({error.reason})")
        except (RetryableError, PermanentError) as error:
            failures.append(f"{place_label(source.name, place)} ({error})")
        asked += 1
    partly = f"only {asked:,} of {counted(len(places), 'place')} asked" if asked < len(places) else None
    if not failures:
        return "ok", partly
    found = f"{counted(len(failures), 'place')} cannot be read: {first_names(failures, PLACES_NAMED)}"
    return "failing", f"{found}; {partly}" if partly else found


def _impatient(config: Config, source: str) -> Config:
    """Return the configuration with a short timeout for this source, if it has one."""
    rules = getattr(config.sources, source, None)
    timeout = getattr(rules, "timeout", None)
    if rules is None or timeout is None:
        return config
    quick = rules.model_copy(update={"timeout": min(timeout, CHECK_TIMEOUT_SECONDS)})
    return config.model_copy(update={"sources": config.sources.model_copy(update={source: quick})})
