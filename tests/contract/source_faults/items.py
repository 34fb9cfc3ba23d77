"""What every item has to be, whatever its source has sent."""

from __future__ import annotations

import msgspec

from overheard.items import Item
from overheard.sources.registry import SOURCES
from overheard.sources.sanitize import language_tag

ITEM_MAX_CHARS = 1_000_000  # of all texts together
YEAR_10000 = 253_402_300_800


def unusable(item: Item) -> list[str]:
    """Return why an item could not be stored, sent or shown."""
    texts = {name: getattr(item, name) for name in ("id", "place", "title", "body", "url", "permalink", "thread_title")}
    texts |= {"author": item.author or "", "thread": item.thread or "", **item.texts}
    texts |= {"lang": item.lang}
    problems = [f"NUL in {name}" for name, text in texts.items() if "\0" in text]
    try:
        msgspec.json.encode(item)
    except UnicodeError:
        problems.append("half of a surrogate pair")
    if sum(map(len, texts.values())) > ITEM_MAX_CHARS:
        problems.append("it is too long")
    times = {"created_at": item.created_at} | ({} if item.edited_at is None else {"edited_at": item.edited_at})
    problems += [f"{name} is {at}" for name, at in times.items() if not 0 < at < YEAR_10000]
    if not SOURCES[item.source].item_id.fullmatch(item.id):
        problems.append("its id is not one")
    links = {"permalink": item.permalink} | ({"url": item.url} if item.url else {})
    problems += [
        f"{name} is {text[:30]!r}" for name, text in links.items() if not text.startswith(("https://", "http://"))
    ]
    if language_tag(item.lang) != item.lang:
        problems.append(f"its language is {item.lang[:30]!r}")
    if item.author is not None and not item.author.strip():
        problems.append("a blank author")
    return problems
