from __future__ import annotations

import pytest

from overheard.errors import InvalidInput
from overheard.sources.mastodon.names import check_author, check_place, parse_place


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mastodon.social", "mastodon.social"),
        ("Mastodon.Social/", "mastodon.social"),
        ("https://mastodon.social", "mastodon.social"),
        ("https://mastodon.social:443/public", "mastodon.social"),
        ("mastodon.social/#Python", "mastodon.social/#python"),
        ("mastodon.social#Python", "mastodon.social/#python"),
        ("https://mastodon.social/tags/Python", "mastodon.social/#python"),
        ("mastodon.example:8443/#a1", "mastodon.example:8443/#a1"),
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ("http://LOCALHOST:4000/#Python", "http://localhost:4000/#python"),
        ("http://[::1]:4000/#x", "http://[::1]:4000/#x"),
        ("https://127.0.0.1:4000/#x", "https://127.0.0.1:4000/#x"),
        ("https://localhost", "https://localhost"),
        ("https://[::1]:4000", "https://[::1]:4000"),
        ("https://bücher.example/#Straße", "xn--bcher-kva.example/#straße"),
        ("mastodon.social/#日本", "mastodon.social/#日本"),
    ],
)
def test_places_have_one_canonical_form(text: str, canonical: str) -> None:
    assert check_place(text) == canonical
    assert check_place(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "", "all", "python", "#python", "no such place", "mastodon.social/#", "mastodon.social/#2026", "ftp://a.example",
        "mastodon.social/#a b", "mastodon.social/@ann", "user@mastodon.social", "127.0.0.1", "a.example/#" + "x" * 200,
        "mastodon.social/#a?b=c", "mastodon.social:99999", "mastodon.social/about", "a.example" + "/" * 400,
    ],
)  # fmt: skip
def test_what_is_not_a_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"mastodon\.social/#python"):
        check_place(text)


def test_a_place_has_a_server_and_a_host_for_its_budget() -> None:
    assert parse_place("mastodon.social/#x") == ("https://mastodon.social", "x")
    assert parse_place("mastodon.social/#x").host == "mastodon.social"
    assert parse_place("http://127.0.0.1:4000").host == "127.0.0.1:4000"


def test_an_author_needs_a_server() -> None:
    assert check_author("@Ann@Example.org") == check_author("Ann@example.org") == "Ann@example.org"
    for text in ("ann", "@ann", "ann@", "a b@example.org"):
        with pytest.raises(InvalidInput, match="with its server"):
            check_author(text)
