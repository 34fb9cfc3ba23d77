"""Check a request's parameters as the API does: a wrong one is an error, not ignored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

FILTERS = ("default", "withbody", "none", "total")
SORTS = ("activity", "creation", "votes")
PAGE_MAX_WITHOUT_KEY = 25
DAY_SECONDS = 86_400
NO_BOUND = 2**63


class ApiError(Exception):
    """An error of the API: its number, name and message."""

    def __init__(self, number: int, name: str, message: str) -> None:
        self.number = number
        self.name = name
        self.message = message
        super().__init__(message)


def bad_parameter(message: str) -> ApiError:
    """Return the error of a wrong parameter."""
    return ApiError(400, "bad_parameter", message)


@dataclass(frozen=True, slots=True)
class ListParameters:
    """What a list is to contain. `since`, `until`: of the creation; `least`, `most`: of what is sorted by."""

    site: str
    sort: str
    order: str
    page: int
    size: int
    with_body: bool
    tags: tuple[str, ...]
    since: int
    until: int
    least: int
    most: int


def parsed(query: Mapping[str, str], sites: Collection[str], keys: Collection[str]) -> ListParameters:
    """Return the parameters. Raises ApiError."""
    if "key" in query and query["key"] not in keys:
        raise bad_parameter("`key` doesn't match a known application")
    site = query.get("site", "")
    if not site:
        raise bad_parameter("site is required")
    if site not in sites:
        raise bad_parameter(f"No site found for name `{site}`")
    page, size = _number(query, "page", 1), _number(query, "pagesize", 30)
    if page < 1 or size > 100:
        raise bad_parameter("page" if page < 1 else "pagesize")
    if page > PAGE_MAX_WITHOUT_KEY and "key" not in query:
        raise ApiError(403, "access_denied", "page above 25 requires access token or app key")
    sort, order, filter_ = query.get("sort", "activity"), query.get("order", "desc"), query.get("filter", "default")
    for name, value, valid in (("sort", sort, SORTS), ("order", order, ("asc", "desc")), ("filter", filter_, FILTERS)):
        if value not in valid:
            raise bad_parameter("Invalid filter specified" if name == "filter" else name)
    return ListParameters(
        site=site,
        sort=sort,
        order=order,
        page=page,
        size=size,
        with_body=filter_ == "withbody",
        tags=tuple(filter(None, query.get("tagged", "").split(";"))),
        since=_number(query, "fromdate", 0),
        until=_number(query, "todate", NO_BOUND),
        least=_number(query, "min", 0),
        most=_number(query, "max", NO_BOUND),
    )


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal():
        raise bad_parameter(name)
    return int(text)


def numbers_of(text: str) -> list[int]:
    """Return the numbers in a path such as `1;2;3`. Raises ApiError."""
    parts = text.split(";")
    if not all(part.isascii() and part.isdecimal() for part in parts) or len(parts) > 100:
        raise bad_parameter("ids")
    return [int(part) for part in parts]
