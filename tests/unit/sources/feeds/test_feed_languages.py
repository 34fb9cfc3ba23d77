"""The language of a feed, and of an entry that has one of its own."""

from __future__ import annotations

import json

import pytest

from overheard.sources.feeds import document
from overheard.sources.feeds.entries import to_item

BASE = "https://blog.example/feed.xml"
RSS = (
    '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>t</title>{head}'
    "<item><title>one</title></item><item><title>two</title><dc:language>pt-BR</dc:language></item></channel></rss>"
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"{lang}><title>t</title><entry><id>1</id><title>one</title></entry>'
    '<entry xml:lang="pt-BR"><id>2</id><title>two</title></entry></feed>'
)


def json_feed(**feed: object) -> str:
    items = [{"id": "1", "title": "one"}, {"id": "2", "title": "two", "language": "pt-BR"}]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": items, **feed})


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        (RSS.format(head="<language>en-US</language>"), "en-us"),
        (RSS.format(head="<language>The English language</language>"), ""),
        (RSS.format(head=""), ""),
        (ATOM.format(lang=' xml:lang="DE"'), "de"),
        (ATOM.format(lang=""), ""),
        (json_feed(language="fr"), "fr"),
        (json_feed(language=7), ""),
        (json_feed(), ""),
    ],
)
def test_an_entry_has_its_own_language_or_that_of_its_feed(text: str, lang: str) -> None:
    found = document.parse(text.encode(), "", BASE)
    items = [to_item(entry, found, BASE, created_at=1.0, edited_at=None) for entry in found.entries]
    assert [(item.title, item.lang) for item in items] == [("one", lang), ("two", "pt-br")]
