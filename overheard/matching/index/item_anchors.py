"""What the index looks up for an item: its words and pairs; beginnings, stems and the like only where a query has them.

Most installations have no wildcard, stem or regular expression, and most items match nothing: what no query needs is
not computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from overheard.items import Item
from overheard.matching.index.anchors import EVERY_ITEM, Anchor
from overheard.matching.index.fast_words import forms
from overheard.matching.index.letter_anchors import LetterAnchors
from overheard.matching.item.document import author_key, item_place_key, looks_further
from overheard.matching.markup import BREAK, address_mask, flow, needs_mask
from overheard.matching.tree import Domain, Near, ParsedQuery, Pattern, Term


class ItemAnchors:
    """Which further anchors the queries of an index have, and which anchors an item has.

    Changed under the index's lock; ``anchors_in`` runs without it.
    """

    def __init__(self) -> None:
        self._further_fields = 0  # how many queries look in the thread's title or the flair
        self._of_words = LetterAnchors()
        self._of_items: Counter[str] = Counter()  # anchors by place, author, or none at all

    @property
    def always_evaluated(self) -> int:
        """How many queries are evaluated for every item, or for every item of a place or an author."""
        return self._of_items.total()

    def add(self, anchors: Collection[Anchor], query: ParsedQuery) -> None:
        """Count a query's anchors, so that they are looked for in items."""
        self._count(anchors, query, 1)

    def remove(self, anchors: Collection[Anchor], query: ParsedQuery) -> None:
        """Stop counting them."""
        self._count(anchors, query, -1)

    def anchors_in(self, item: Item) -> list[Anchor]:
        """Return all anchors that an item may have, some of them several times."""
        words, pairs = forms(_text(item, bool(self._further_fields)))
        words += self._of_words.of_words(words)
        if self._of_items:
            words += _of_item(item)
        return [*words, *pairs]

    def _count(self, anchors: Collection[Anchor], query: ParsedQuery, by: int) -> None:
        self._further_fields += by * _looks_further(query)
        for anchor in anchors:
            if isinstance(anchor, tuple) or anchor.isalnum():
                continue
            if LetterAnchors.is_one(anchor):
                self._of_words.change(anchor, by)
            elif anchor == EVERY_ITEM or anchor.startswith(("place:", "author:")):
                self._of_items[anchor] += by
                if not self._of_items[anchor]:
                    del self._of_items[anchor]


def _of_item(item: Item) -> Iterator[str]:
    """Yield the anchors of an item that are not in its texts."""
    yield EVERY_ITEM
    yield f"place:{item_place_key(item)}"
    if item.author is not None:
        yield f"author:{author_key(item.author)}"


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
    texts = [item.title, item.body]
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
