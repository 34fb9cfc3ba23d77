from __future__ import annotations

import pytest

from overheard.config import Config
from overheard.errors import InvalidInput
from overheard.sources.registry import byline, request_budget
from overheard.sources.stackexchange.names import ITEM_ID, budget_key, check_place, parse_place, site_host


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("stackoverflow/postgresql", "stackoverflow/postgresql"),
        ("StackOverflow/PostgreSQL/", "stackoverflow/postgresql"),
        ("stackoverflow", "stackoverflow"),
        ("stackoverflow.com/c++", "stackoverflow/c++"),
        ("https://stackoverflow.com/questions/tagged/c%23", "stackoverflow/c%23"),
        ("https://unix.stackexchange.com/questions/tagged/systemd", "unix/systemd"),
        ("www.superuser.com", "superuser"),
        ("unix.meta.stackexchange.com", "unix.meta"),
        ("meta.superuser.com", "meta.superuser"),
        ("mathoverflow.net/nt.number-theory", "mathoverflow.net/nt.number-theory"),
        ("ru.stackoverflow/питон", "ru.stackoverflow/питон"),
    ],
)
def test_places_have_one_canonical_form(text: str, canonical: str) -> None:
    assert check_place(text) == canonical
    assert check_place(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "all", "no such place", "stackoverflow/a;b", "stackoverflow/a/b", "stackoverflow/a\0b", "/x", "a" * 200],
)
def test_what_is_not_a_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="stackoverflow/postgresql"):
        check_place(text)


def test_sites_have_hosts() -> None:
    hosts = {
        "stackoverflow": "stackoverflow.com",
        "meta.stackoverflow": "meta.stackoverflow.com",
        "ru.stackoverflow": "ru.stackoverflow.com",
        "unix": "unix.stackexchange.com",
        "unix.meta": "unix.meta.stackexchange.com",
        "mathoverflow.net": "mathoverflow.net",
    }
    assert {site: site_host(site) for site in hosts} == hosts
    assert parse_place("unix/x") == ("unix", "x")


def test_ids_name_the_site_and_the_kind() -> None:
    assert ITEM_ID.fullmatch("meta.superuser/a/12")
    assert not ITEM_ID.fullmatch("stackoverflow/12")


def test_the_budget_is_that_of_the_key() -> None:
    free = request_budget("stackexchange", Config())
    assert free is not None
    assert (free.key, round(free.per_minute * 1440)) == ("stackexchange:address", 300)
    keyed = request_budget("stackexchange", Config.model_validate({"sources": {"stackexchange": {"key": "k"}}}))
    assert keyed is not None
    assert (keyed.key, round(keyed.per_minute * 1440)) == (budget_key("k"), 10_000)
    assert keyed.key not in (free.key, "stackexchange:k")


def test_the_license_is_named_beside_the_author() -> None:
    assert byline("stackexchange", "ann") == "ann, CC BY-SA"
    assert byline("reddit", "ann") == "u/ann"
