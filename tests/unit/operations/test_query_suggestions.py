"""Suggested queries: valid, in a valid workspace file, and finding what they are for."""

from __future__ import annotations

import pytest

from overheard.errors import InvalidInput
from overheard.matching.index.query_index import matches
from overheard.matching.language import parse
from overheard.operations.query_explanation import explain
from overheard.operations.query_suggestions import suggestions
from tests.query_docs import item


def texts(*args: str, competitors: tuple[str, ...] = ()) -> dict[str, str]:
    return {query.name: query.text for query in suggestions(*args, competitors=competitors)}


@pytest.mark.parametrize(
    ("name", "brand"),
    [
        ("Acme DB", '"acme db" OR acmedb'),
        ("AcmeDB", 'AcmeDB OR "acme db"'),
        ("Linear", "=Linear"),
        ("linear", "=Linear"),
        ("next.js", "next.js"),
        ("C++", "C++"),
        ("O'Reilly Media", '"o\'reilly media"'),
        ('The "Acme" OR Bolt', '"the acme or bolt" OR theacmeorbolt'),
        ("title:", '"title:"'),
        ("title:acme", '"title:acme"'),
        ("~monitor", '"~monitor"'),
        ("/acme[0-9]/", '"/acme[0-9]/"'),
        ("=acme", '"=acme"'),
    ],
)
def test_the_brand_in_its_spellings(name: str, brand: str) -> None:
    assert texts(name)["brand"] == brand


def test_what_is_suggested_is_by_what_is_given() -> None:
    assert list(texts("Acme DB")) == ["brand", "alternatives", "comparisons", "complaints", "questions"]
    given = texts("Linear", "https://www.Linear.app/features", competitors=("Jira", "Asana Inc"))
    assert given["domain"] == "domain:linear.app"
    assert {"brand-in-context", "competitors"} <= given.keys()
    assert '(Jira OR "asana inc" OR asanainc)' in given["comparisons"]


def test_a_name_in_another_script_is_not_looked_for_near_english_words() -> None:
    assert texts("任天堂", "nintendo.co.jp") == {"brand": "任天堂", "domain": "domain:nintendo.co.jp"}
    assert texts("Яндекс", competitors=("Гугл",))["comparisons"] == "Яндекс NEAR/25 Гугл"
    assert "complaints" in texts("任天堂Switch")


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ("brand", "We use AcmeDB"),
        ("domain", "title: A database; url: https://docs.acme.com/"),
        ("alternatives", "Is there a good alternative to Acme DB?"),
        ("comparisons", "Acme DB vs. Bolt"),
        ("comparisons", "I have used both Bolt and Acme-DB"),
        ("complaints", "Acme DB crashes all the time"),
        ("questions", "Does anyone use Acme DB in production?"),
        ("competitors", "We moved from Bolt to something else"),
    ],
)
def test_each_finds_what_it_is_for(query: str, finds: str) -> None:
    suggested = texts("Acme DB", "acme.com", competitors=("Bolt",))
    assert matches(parse(suggested[query]), item(finds))
    assert not matches(parse(suggested[query]), item("The weather is fine"))


@pytest.mark.parametrize("name", ["Acme DB", "Linear", "next.js", "AT&T", "東京", "-x", "=X", "🚀", "a OR b"])
def test_each_is_cheap_and_without_a_warning(name: str) -> None:
    for query in suggestions(name, "acme.com", ("Bolt",)):
        explained = explain(query.text, parse(query.text))
        assert not explained.always_evaluated
        if query.name == "brand":
            assert explained.warnings == ()


@pytest.mark.parametrize("name", ["", " ", '"', "!?", "acme*", "x " * 30])
def test_what_is_not_a_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        suggestions(name)
