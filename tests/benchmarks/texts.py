"""The text that benchmarks match: the project's own sample, mixed, or a corpus that OVERHEARD_CORPUS names.

A corpus is a folder with posts.jsonl.gz (title, selftext) and comments.jsonl.gz (body). It is never looked for
elsewhere: figures of different texts differ, so every table says which it was.

The sample has about 120 texts. Mixed: sentences of all of them in any order, and in most of these a made-up name,
a few of which are everywhere and most of which are hardly anywhere, as with the words of real text.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

from overheard.items import Item
from overheard.simulators.reddit.traffic import sample

Fields = dict[str, str]

ITEMS = 20_000
NAMES = 50_000
FOREIGN_SHARE = 0.15  # of the texts have letters or signs outside of ASCII in them
SYLLABLES = ("ba", "cor", "del", "fi", "gan", "ho", "jin", "ka", "lum", "mer", "no", "pix", "qua", "ros", "tev", "zu")


def named_corpus() -> Path | None:
    """The folder that OVERHEARD_CORPUS names; None when it names none. FileNotFoundError when it holds no corpus."""
    value = os.environ.get("OVERHEARD_CORPUS")
    if not value:
        return None
    for name in ("posts.jsonl.gz", "comments.jsonl.gz"):
        if not (Path(value) / name).is_file():
            raise FileNotFoundError(f"OVERHEARD_CORPUS={value}: there is no {name} in it")
    return Path(value)


def description() -> str:
    """Which text is used, for people."""
    corpus = named_corpus()
    return f"the corpus in {corpus}" if corpus else "the shipped sample, mixed (OVERHEARD_CORPUS names another)"


def load_items(chance: random.Random, count: int = ITEMS) -> list[Fields]:
    """A shuffled mix of posts (title, body) and comments (body): one to seven, as on Reddit."""
    corpus = named_corpus()
    if corpus is None:
        mixed = Mixed(chance)
        return [mixed.post() if number % 8 == 0 else mixed.comment() for number in range(count)]
    rows = list(_rows(corpus / "posts.jsonl.gz"))
    posts = [
        {"title": row["title"], "body": row["selftext"], "url": "" if row.get("is_self", True) else row["url"]}
        for row in chance.sample(rows, min(len(rows), count // 8))
    ]
    comments = [{"body": row["body"]} for row in _rows(corpus / "comments.jsonl.gz")]
    items = posts + chance.sample(comments, min(len(comments), count - len(posts)))
    chance.shuffle(items)
    return items


def item_of(fields: Fields, number: int = 0, place: str = "place0") -> Item:
    """An item with these texts: a post if it has a title."""
    return Item(
        source="reddit",
        id=f"t3_{number:x}",
        kind="post" if "title" in fields else "comment",
        place=place,
        author="somebody",
        title=fields.get("title", ""),
        body=fields["body"],
        url=fields.get("url", ""),
        permalink="/",
        created_at=0.0,
    )


class Mixed:
    """Texts of the sample's sentences. Lengths are those of Reddit: most short, a few long."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        texts = sample()
        self._titles = [text.title for text in texts if text.title]
        self._sentences = [
            sentence for text in texts for sentence in re.split(r"(?<=[.!?。])\s+", text.text) if sentence
        ]
        self._plain = [sentence for sentence in self._sentences if sentence.isascii()]

    def post(self) -> Fields:
        return {"title": self._chance.choice(self._titles), "body": self._text()}

    def comment(self) -> Fields:
        return {"body": self._text()}

    def _text(self) -> str:
        count = min(int(self._chance.paretovariate(0.8)), 40)
        # The sample shows many scripts, to try them; mixed at will, each long text would have some of them.
        sentences = self._sentences if self._chance.random() < FOREIGN_SHARE else self._plain
        return " ".join(self._sentence(sentences) for _ in range(count))

    def _sentence(self, sentences: list[str]) -> str:
        found = self._chance.choice(sentences)
        if self._chance.random() < 0.25:
            return found
        words = found.split(" ")
        words.insert(self._chance.randrange(len(words) + 1), name(int(NAMES * self._chance.random() ** 3)))
        return " ".join(words)


def name(number: int) -> str:
    """A made-up word; each number has its own."""
    word = ""
    for _ in range(4):
        number, syllable = divmod(number, len(SYLLABLES))
        word += SYLLABLES[syllable]
    return word


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
