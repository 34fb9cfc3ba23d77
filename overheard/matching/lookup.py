"""What the index looks up for an item: its words and pairs; beginnings, stems and the like only where a query has them.

Most installations have no wildcard, stem or regular expression, and most items match nothing: what no query needs is
not computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from overheard.items import Item, place_key
from overheard.matching.forms import forms
from overheard.matching.markup import flow, needs_mask
from overheard.matching.rarity import EVERY_ITEM, Anchor, Pair
from overheard.matching.stems import stem
from overheard.matching.tree import Near, ParsedQuery

Need = tuple[str, int]  # a kind of anchor that is not a word or a pair, and its length


class Lookup:
    """Which kinds of anchors the queries of an index have, and those of an item. Not thread-safe by itself."""

    def __init__(self) -> None:
        self._needs: Counter[Need] = Counter()
        self._further_fields = 0  # queries that look in the thread's title or the flair
        # Replaced as a whole: ``anchors_in`` runs without the index's lock.
        self._kinds: tuple[Need, ...] = ()
        self.always_evaluated = 0

    def add(self, anchors: Collection[Anchor], query: ParsedQuery) -> None:
        """Note a query's anchors."""
        self._count(anchors, query, 1)

    def remove(self, anchors: Collection[Anchor], query: ParsedQuery) -> None:
        """Forget them."""
        self._count(anchors, query, -1)

    def anchors_in(self, item: Item) -> tuple[Collection[str], Iterable[Pair]]:
        """Return all anchors that an item may have: the words and texts, and the pairs."""
        words, pairs = _forms_of(_texts(item, bool(self._further_fields)))
        if not self._kinds:
            return words, pairs
        return {*words, *self._further(item, set(words))}, pairs

    def _further(self, item: Item, words: set[str]) -> Iterable[str]:
        for kind, size in self._kinds:
            match kind:
                case "beginning":
                    yield from {f"{word[:size]}*" for word in words if len(word) >= size}
                case "end":
                    yield from {f"*{word[-size:]}" for word in words if len(word) >= size}
                case "stem":
                    yield from {f"~{stem(word)}" for word in words}
                case "part":
                    yield from {f"/{word[at : at + size]}" for word in words for at in range(len(word) - size + 1)}
                case "place":
                    yield f"place:{place_key(item.place).casefold()}"
                case "author" if item.author is not None:
                    yield f"author:{item.author.casefold()}"
                case "every item":
                    yield EVERY_ITEM

    def _count(self, anchors: Collection[Anchor], query: ParsedQuery, by: int) -> None:
        kinds = [kind for anchor in anchors if isinstance(anchor, str) and (kind := _kind(anchor))]
        for kind in kinds:
            self._needs[kind] += by
        self.always_evaluated += by * any(kind in ("place", "author", EVERY_ITEM) for kind, _ in kinds)
        self._further_fields += by * _looks_further(query)
        if kinds:
            self._needs = +self._needs
            self._kinds = tuple(self._needs)


def _kind(anchor: str) -> Need | None:
    if anchor.isalnum():  # nearly always; a word of an Indic script has other characters, too
        return None
    if anchor.endswith("*"):
        return "beginning", len(anchor) - 1
    if anchor[0] in "*~/" and len(anchor) > 1:
        kinds = {"*": "end", "~": "stem", "/": "part"}
        return kinds[anchor[0]], len(anchor) - 1 if anchor[0] != "~" else 0
    if anchor == EVERY_ITEM:
        return EVERY_ITEM, 0
    name, colon, _ = anchor.partition(":")
    return (name, 0) if colon else None


def _looks_further(query: ParsedQuery) -> bool:
    terms = [leaf for leaf in query.positive_leaves() if not isinstance(leaf, Near)]
    terms += [term for leaf in query.positive_leaves() if isinstance(leaf, Near) for term in (*leaf.left, *leaf.right)]
    return any(
        "thread" in leaf.where.fields or "flair" in leaf.where.fields for leaf in terms if hasattr(leaf, "where")
    )


def _texts(item: Item, further: bool) -> Sequence[str]:
    texts = [item.title, item.body]
    if further:
        texts += [item.thread_title, item.texts.get("flair", "")]
    readable = [_readable(text) for text in texts if text]
    return [*readable, item.url] if item.url else readable


def _forms_of(texts: Sequence[str]) -> tuple[Collection[str], Iterable[Pair]]:
    if len(texts) == 1:
        return forms(texts[0])
    words: set[str] = set()
    pairs: set[Pair] = set()
    for text in texts:
        more, further = forms(text)
        words.update(more)
        pairs.update(further)
    return words, pairs


def _readable(text: str) -> str:
    """Return a text whose words include all that the layout reads: masked where markup would hide some."""
    if not needs_mask(text):
        return text
    flowing = flow(text)
    return "\n".join([flowing.masked, *(text[start:end] for start, end in flowing.targets)])
