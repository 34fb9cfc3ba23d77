"""What the index looks up for an item: its words and pairs; beginnings, stems and the like only where a query has them.

Most installations have no wildcard, stem or regular expression, and most items match nothing: what no query needs is
not computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from functools import cached_property

from overheard.items import Item
from overheard.matching.index.anchors import EVERY_ITEM, Anchor, Anchors
from overheard.matching.index.fast_words import Pairs, forms, forms_of
from overheard.matching.index.letter_anchors import LetterAnchors, count
from overheard.matching.item.document import author_key, item_place_key, looks_further
from overheard.matching.item.texts import searched_texts
from overheard.matching.markup import BREAK, address_mask, flow, needs_mask
from overheard.matching.text.fast_reading import Readings, read_fast
from overheard.matching.text.memory import REMEMBERED_CHARS
from overheard.matching.tree import Domain, Near, ParsedQuery, Pattern, Term

REMEMBERED_WORDS = 19_000  # of the stream's frequent words; a set of more than 19,660 takes four times as much memory


class AnchorsInItem:
    """What an item offers: the texts that may be anchors of queries, and its pairs.

    ``readings``: what was read, by its text.
    """

    def __init__(self, texts: set[str], pairs: Pairs, words: list[str], readings: Readings) -> None:
        self.texts = texts
        self.pairs = pairs
        self.readings = readings
        self._words = words

    def has(self, anchors: Anchors) -> bool:
        """Return True if the item has one of these words and pairs, whether queries are filed under it or not."""
        if not self._all_words.isdisjoint(anchors):
            return True
        return any(isinstance(anchor, tuple) for anchor in anchors) and not self._all_pairs.isdisjoint(anchors)

    @cached_property
    def _all_words(self) -> set[Anchor]:
        return set(self._words)

    @cached_property
    def _all_pairs(self) -> set[Anchor]:
        return set(self.pairs)


class ItemAnchors:
    """Which anchors the queries of an index have, and which of them an item has.

    Changed under the index's lock; ``anchors_in`` runs without it.
    """

    def __init__(self) -> None:
        self._further_fields = 0  # how many queries look in the thread's title or the flair
        # How many queries have a word, or something of an item that is not in its texts, as an anchor.
        self._words: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()  # … of those, by kind: EVERY_ITEM, place, author
        self._letters = LetterAnchors()
        # What is known of words: nearly all lead to no query, others are anchors as they are, and a few have letter
        # anchors. All are replaced, never emptied: a thread may be reading them.
        self._idle: set[str] = set()
        self._bare: set[str] = set()
        self._lettered: dict[str, Collection[str]] = {}

    @property
    def always_evaluated(self) -> int:
        """How many queries are evaluated for every item, or for every item of a place or an author."""
        return self._kinds.total()

    def add(self, anchors: Collection[Anchor], query: ParsedQuery) -> None:
        """Count a query's anchors, so that they are looked for in items."""
        self._count(anchors, query, 1)

    def remove(self, anchors: Collection[Anchor], query: ParsedQuery) -> None:
        """Stop counting them."""
        self._count(anchors, query, -1)

    def anchors_in(self, item: Item) -> AnchorsInItem:
        """Return what an item offers."""
        text = _text(item, bool(self._further_fields))
        reading = read_fast(text)
        words, pairs = forms_of(reading)
        texts = self._in_words(words)
        # Most indexes have none of these, or of one kind only.
        if self._kinds[EVERY_ITEM]:
            texts.add(EVERY_ITEM)
        if self._kinds["place"]:
            texts.add(f"place:{item_place_key(item)}")
        if self._kinds["author"] and item.author is not None:
            texts.add(f"author:{author_key(item.author)}")
        return AnchorsInItem(texts, pairs, words, {text: reading})

    def _in_words(self, words: Collection[str]) -> set[str]:
        """Return the words that may be anchors, and the letter anchors of words."""
        idle, bare, lettered = self._idle, self._bare, self._lettered
        if len(idle) + len(bare) + len(lettered) > REMEMBERED_WORDS:
            idle, bare, lettered = self._forget_words()
        found = set(words) - idle
        new: list[str] = []
        for word in found - bare:
            if (anchors := lettered.get(word)) is None:
                new.append(word)
            else:
                found.update(anchors)
        for word, anchors in zip(new, self._letters.of_words(new), strict=True) if new else ():
            found.update(anchors)
            if len(word) > REMEMBERED_CHARS:
                pass
            elif anchors:
                lettered[word] = anchors
            elif word in self._words:
                bare.add(word)
            else:
                idle.add(word)
                # Once more: a query may have come in between, before the word was there for it to discard.
                if word in self._words:
                    idle.discard(word)
        return found

    def _forget_words(self) -> tuple[set[str], set[str], dict[str, Collection[str]]]:
        self._idle, self._bare, self._lettered = set(), set(), {}
        return self._idle, self._bare, self._lettered

    def _count(self, anchors: Collection[Anchor], query: ParsedQuery, by: int) -> None:
        self._further_fields += by * _looks_further(query)
        for anchor in anchors:
            if isinstance(anchor, tuple):
                continue
            if LetterAnchors.is_one(anchor):
                self._letters.change(anchor, by)
                # After the change: what is noted in the new ones must be true of the new anchors.
                self._forget_words()
            elif anchor == EVERY_ITEM or anchor.startswith(("place:", "author:")):
                count(self._kinds, anchor.partition(":")[0], by)
            else:
                count(self._words, anchor, by)
                self._idle.discard(anchor)


def _looks_further(query: ParsedQuery) -> bool:
    """Return True if a query looks in the thread's title or the flair."""
    leaves: list[Term | Pattern] = []
    for leaf in query.positive_leaves():
        if isinstance(leaf, Near):
            leaves += [*leaf.left, *leaf.right]
        elif not isinstance(leaf, Domain):
            leaves.append(leaf)
    return any(map(looks_further, leaves))


def words_in(item: Item) -> set[str]:
    """Return the words of an item, and the forms in which it writes them, as the index looks them up."""
    return set(forms(_text(item, False))[0])


def _text(item: Item, further: bool) -> str:
    """Return the texts in which queries look, as one: a pair of words of two fields does no harm."""
    texts = [item.title, item.body, *searched_texts(item).values()]
    if further:
        texts += [item.thread_title, item.texts.get("flair", "")]
    readable = [_readable(text) for text in texts if text]
    if item.url:
        readable.append(address_mask(item.url))
    return BREAK.join(readable)


def _readable(text: str) -> str:
    """Return a text whose words include all that the layout reads: masked where markup would hide some."""
    if not needs_mask(text):
        return text
    flowing = flow(text)
    return BREAK.join([flowing.masked, *(address_mask(text[start:end]) for start, end in flowing.targets)])
