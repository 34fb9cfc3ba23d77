"""The texts of an item, by the names of their fields."""

from __future__ import annotations

from overheard.items import SEARCHED_TEXTS, Item
from overheard.matching.tree import DEFAULT_FIELDS, FieldName

Texts = dict[FieldName, str]

USUAL_FIELDS = frozenset(DEFAULT_FIELDS)


def texts_of(item: Item) -> Texts:
    """Return the texts of an item in which queries look that name no field; empty ones are left out."""
    texts: Texts = {"title": item.title, "body": item.body, **searched_texts(item), "url": item.url}
    return {name: text for name, text in texts.items() if text}


def searched_texts(item: Item) -> Texts:
    """Return those of an item's further texts that are searched like its title and body; most items have none."""
    return {name: item.texts[name] for name in SEARCHED_TEXTS if name in item.texts} if item.texts else {}


def all_texts_of(item: Item) -> Texts:
    """Return all texts of an item."""
    further: Texts = {"thread": item.thread_title or item.title, "flair": item.texts.get("flair", "")}
    return texts_of(item) | {name: text for name, text in further.items() if text}
