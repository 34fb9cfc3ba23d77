"""What a query finds in a text, and which part of the text that is."""

from __future__ import annotations

import pytest

from overheard.items import Item
from overheard.matching.index.query_index import matches
from overheard.matching.language import parse


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("acme", "ACME's new thing", "ACME"),
        ("acme", "acmeology", None),
        ("don", "I don't", None),
        ("don't", "I DON’T", "DON’T"),
        ("c++", "I love C++!", "C++"),
        ("c++", r"I love C\+\+", r"C\+\+"),
        ("c++", "vitamin C, C+ and C#", None),
        ("c", "C++", "C"),
        ("c++11", "in C++11", "C++11"),
        (".net", "ASP or .NET", ".NET"),
        (".net", "slashdot.net", None),
        ("@name", "mail me@name.com", None),
        ("#tag", "a #tag", "#tag"),
        ("tag", "a #tag", "tag"),
        ("e-mail", "E\u2011mail", "E\u2011mail"),
        ("foo-bar", "foobar", "foobar"),
        ("foo-bar exact:hyphens", "foobar", None),
        ("node.js", "Node.JS", "Node.JS"),
        ("acme.com", "see https://www.acme.com/x", "acme.com"),
        ("京都", "東京都庁", "京都"),
        ("ไทย", "ประเทศไทย", "ไทย"),
        ("٢.٠", "Acme v٢.٠", "v٢.٠"),
        ("v٢.٠", "Acme ٢.٠", "٢.٠"),
        ("taste", "distaste", None),
        ("strasse", "die Straße", "Straße"),
        ("fine", "ﬁne", "ﬁne"),
        ("東京 OR 'acme'", "acme", "acme"),
        ("acme -beta", "acme alpha", "acme"),
        ("acme -beta", "beta of acme", None),
        ("acme NOT (alpha OR beta)", "acme beta", None),
    ],
)
def test_finds(query: str, text: str, found: str | None) -> None:
    hit = matches(parse(query), Item(source="s", id="1", kind="post", place="p", body=text, created_at=0.0))
    if found is None:
        assert hit is None
    else:
        assert hit is not None
        assert [text[start:end] for _, start, end in hit.highlights] == [found]
