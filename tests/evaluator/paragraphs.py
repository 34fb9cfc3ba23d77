"""From an item to its paragraphs, field by field."""

from __future__ import annotations

import html
import unicodedata
from typing import NamedTuple

from overheard.items import Item
from tests.evaluator.folding import is_there
from tests.evaluator.masking import BREAK, encoded, mask, rest_of
from tests.evaluator.words import Char, Paragraph, read

Flow = list[Char]
Plain = tuple[str, Flow, list[tuple[int, int]]]  # a field, its characters, the places of addresses


class ReadItem(NamedTuple):
    """An item, read. ``plain``: the texts that regular expressions and hosts are searched in."""

    item: Item
    paragraphs: list[Paragraph]
    plain: list[Plain]


def read_item(item: Item) -> ReadItem:
    return ReadItem(item, paragraphs_of(item), plain_texts(item))


def texts_of(item: Item) -> dict[str, str]:
    """Return the fields of an item that queries look in. A post is its own thread."""
    return {
        "title": item.title,
        "body": item.body,
        "url": item.url,
        "thread": item.title if item.kind == "post" else item.thread_title,
        **{name: item.texts.get(name, "") for name in ("crosspost", "caption", "poll", "flair")},
    }


def flows_of(field: str, text: str) -> list[tuple[Flow, list[tuple[int, int]]]]:
    """Return a field's flow, and each address that was taken out of it, with the places of addresses in each."""
    if field == "url":
        return [(address(text, 0), [(0, len(text))])]
    masked = mask(text)
    flow = [Char(char, at) for at, char in enumerate(masked.flow)]
    targets = [(address(text[start:end], start), [(start, end)]) for start, end in masked.targets]
    return [(flow, masked.links), *targets]


def address(text: str, start: int) -> Flow:
    """Return the characters of an address. Nothing in it is markup, but some may be encoded."""
    chars, at = [], 0
    while at < len(text):
        close = text.find(";", at, at + 12) if text[at] == "&" else -1
        means = html.unescape(text[at : close + 1]) if close > 0 else ""
        char, length = (means, close + 1 - at) if len(means) == 1 else encoded(text[at:])
        chars.append(Char(char, start + at))
        chars += [Char(rest_of(char), start + rest) for rest in range(at + 1, at + length)]
        at += length
    return chars


def paragraphs_of(item: Item) -> list[Paragraph]:
    """Return the paragraphs of all fields."""
    found = []
    for field, text in texts_of(item).items():
        for flow, links in flows_of(field, text):
            paragraph: Flow = []
            for char in [*flow, Char(BREAK, len(text))]:
                if char.char != BREAK:
                    paragraph.append(char)
                    continue
                found.append(read(paragraph, field, links))
                paragraph = []
    return found


def plain_texts(item: Item) -> list[Plain]:
    """Return the texts of all fields without markup, paragraphs as lines."""
    return [
        (
            field,
            [Char(plain_char(char.char), char.at) for char in flow if is_there(char.char)],
            links,
        )
        for field, text in texts_of(item).items()
        for flow, links in flows_of(field, text)
    ]


def plain_char(char: str) -> str:
    """Return a character as expressions see it: breaks are new lines, and spaces of any width are spaces."""
    if char == BREAK:
        return "\n"
    return " " if unicodedata.category(char) == "Zs" else char
