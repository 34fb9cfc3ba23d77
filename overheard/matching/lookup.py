"""What the index looks up for an item: its words and pairs; beginnings, stems and the like only where a query has them.

Most installations have no wildcard, stem or regular expression, and most items match nothing: what no query needs is
not computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from overheard.items import Item, place_key
from overheard.matching.document import looks_further
from overheard.matching.forms import forms
from overheard.matching.markup import BREAK, address_mask, flow, needs_mask
from overheard.matching.rarity import EVERY_ITEM, Anchor, Pair
from overheard.matching.stems import stem
from overheard.matching.tree import Domain, Near, ParsedQuery, Pattern, Term

WORD_SIGNS = "*~/"  # in the anchors that a word has because of its letters
REMEMBERED_WORDS = 50_000  # of the stream's frequent words; chosen, not measured


class Lookup:
    """Which further anchors the queries of an index have, and which anchors an item has.

    Changed under the index's lock; ``anchors_in`` runs without it.
    """

    def __init__(self) -> None:
        self._further_fields = 0  # how many queries look in the thread's title or the flair
        self._of_words: Counter[str] = Counter()  # anchors by the letters of words
        self._of_items: Counter[str] = Counter()  # anchors by place, author, or none at all
        self._sizes: dict[str, tuple[int, ...]] = {}
        # Words without any such anchor, as nearly all are. Replaced, never emptied: a thread may be reading it.
        self._plain: set[str] = set()

    @property
    def always_evaluated(self) -> int:
        """How many queries are evaluated for every item, or for every item of a place or an author."""
        return self._of_items.total()

    def add(self, anchors: Collection[Anchor], query: ParsedQuery) -> None:
        """Note a query's anchors."""
        self._count(anchors, query, 1)

    def remove(self, anchors: Collection[Anchor], query: ParsedQuery) -> None:
        """Forget them."""
        self._count(anchors, query, -1)

    def anchors_in(self, item: Item) -> tuple[Collection[str], Iterable[Pair]]:
        """Return all anchors that an item may have: the words and other texts, and the pairs."""
        words, pairs = forms(_text(item, bool(self._further_fields)))
        if self._of_words or self._of_items:
            return {*words, *self._by_letters(words), *self._by_item(item)}, pairs
        return words, pairs

    def _by_letters(self, words: Collection[str]) -> Iterator[str]:
        plain, known = self._plain, self._of_words
        if not known:
            return
        if len(plain) > REMEMBERED_WORDS:
            plain = self._plain = set()
        for word in set(words) - plain:
            found = known.keys() & _letters(word, self._sizes)
            if found:
                yield from found
            else:
                plain.add(word)

    def _by_item(self, item: Item) -> Iterator[str]:
        if self._of_items:
            yield EVERY_ITEM
            yield f"place:{place_key(item.place).casefold()}"
            if item.author is not None:
                yield f"author:{item.author.casefold()}"

    def _count(self, anchors: Collection[Anchor], query: ParsedQuery, by: int) -> None:
        self._further_fields += by * _looks_further(query)
        further = [anchor for anchor in anchors if isinstance(anchor, str) and not anchor.isalnum()]
        of_words = [anchor for anchor in further if anchor[0] in WORD_SIGNS or anchor[-1] == "*"]
        for anchor in further:
            counter = self._of_words if anchor in of_words else self._of_items
            if counter is self._of_words or anchor == EVERY_ITEM or anchor.startswith(("place:", "author:")):
                counter[anchor] += by
                if not counter[anchor]:
                    del counter[anchor]
        if of_words:
            self._plain = set()
            self._sizes = _sizes(self._of_words)


def _sizes(anchors: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the lengths of beginnings (*), ends (e) and parts (/) among anchors."""
    sizes: dict[str, set[int]] = {"*": set(), "e": set(), "/": set()}
    for anchor in anchors:
        if anchor[0] != "~":
            sizes["*" if anchor[-1] == "*" else "e" if anchor[0] == "*" else "/"].add(len(anchor) - 1)
    return {kind: tuple(found) for kind, found in sizes.items()}


def _letters(word: str, sizes: dict[str, tuple[int, ...]]) -> Iterator[str]:
    """Yield every anchor that a word may have because of its letters."""
    yield f"~{stem(word)}"
    for size in sizes["*"]:
        yield f"{word[:size]}*"
    for size in sizes["e"]:
        yield f"*{word[-size:]}"
    for size in sizes["/"]:
        for at in range(len(word) - size + 1):
            yield f"/{word[at : at + size]}"


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
