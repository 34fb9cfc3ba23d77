"""Words for a source's own search: it narrows down what is fetched, and the index decides what matches."""

import re
from collections.abc import Iterable

from overheard.matching.index.anchors import AnchorChooser
from overheard.matching.tree import ParsedQuery

# What every search engine takes for one word as well. Others it might divide, or fold, in another way than we do.
_PLAIN = re.compile(r"[a-z0-9]{2,}")
# "don't" is one word here, "dont", and two elsewhere.
_CONTRACTED = re.compile(r"(?:do|did|does|is|was|were|are|ai|ca|wo|has|had|have|must|need|might|would|could|should)nt")
MAX_SEARCH_WORDS = 20  # a search for more is longer than sources accept; chosen, not measured


def search_words(queries: Iterable[ParsedQuery]) -> tuple[str, ...]:
    """Return words of which every text that one of the queries matches contains at least one.

    Texts that write such a word in several parts (wi-fi for wifi) or with accents are the exception. Return () if no
    words would do that every search engine understands: then everything has to be read.
    """
    words: dict[str, None] = {}
    rarity = AnchorChooser()
    for query in queries:
        for anchor in rarity.anchors(query):
            parts = [anchor] if isinstance(anchor, str) else anchor
            plain = [part for part in parts if _PLAIN.fullmatch(part) and not _CONTRACTED.fullmatch(part)]
            if not plain:
                return ()
            words[max(plain, key=len)] = None
    return tuple(words) if len(words) <= MAX_SEARCH_WORDS else ()
