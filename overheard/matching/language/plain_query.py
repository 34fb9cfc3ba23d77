"""Words and phrases without any sign: most queries are no more than that, and need neither tokens nor brackets."""

from __future__ import annotations

import re
from functools import lru_cache

from overheard.matching.language.limits import MAX_CHARACTERS, MAX_PHRASE_WORDS
from overheard.matching.language.spelling import spell
from overheard.matching.tree import Term

_PLAIN = re.compile(r'(?!(?:AND|OR|NOT)\Z)[A-Za-z0-9]+|"[A-Za-z0-9]+(?: [A-Za-z0-9]+)*"')
_spelled = lru_cache(maxsize=65536)(spell)


def plain_term(text: str) -> Term | None:
    """Return the term of a query that is one plain word or phrase within the limits, or None."""
    if not _PLAIN.fullmatch(text) or len(text) > MAX_CHARACTERS or text.count(" ") >= MAX_PHRASE_WORDS:
        return None
    if text[0] != '"':
        return Term((_spelled(text),), text=text)
    return Term(tuple(map(_spelled, text[1:-1].split(" "))), text=text)
