"""Random queries about the words of texts.py, written as users write them."""

from __future__ import annotations

from random import Random

from tests.evaluator.texts import Vocabulary

FIELDS = ("title", "body", "url", "thread", "flair", "crosspost", "caption", "poll")
VARIATIONS = ("accents", "hyphens", "dots", "apostrophes", "numbers", "possessives", "all")
WORD_PARTS = ("optimi*", "*sql", "~monitor", "mon*", "acm*", "*ode", "*ing")
PATTERNS = ("acme", "wi.?fi", "^ ?rust", "c[+#]+", "v?\\d\\.\\d", "acme$", "(next|node)\\.js", "\\S+@acme\\.com")
DOMAINS = ("domain:acme.com", "domain:(acme.io, evil.org)", "domain:www.acme.com", "domain:evil-acme.com")
IS = ("is:post", "is:comment", "is:nsfw", "is:self", "is:link")
OPTIONS = ("in:link", "-in:link", "exact:hyphens", "exact:dots", "exact:accents", "exact:all")
FACTS = (
    *IS,
    "lang:en",
    "lang:pt",
    "source:reddit",
    "place:python",
    "subreddit:Rust",
    "author:ann",
    "author:*bot",
    "place:pyth*",
)
LISTS = ("place:(python, all)", "author:(ann OR acme_bot)", "source:(hackernews reddit)", "is:(post, nsfw)")
SIGNS = (" ", " AND ", " OR ", " OR ", " -", " -")
MAX_DISTANCE = 6  # words


def chunk(chance: Random, words: Vocabulary) -> str:
    """Return what a query may write without white space."""
    return chance.choice([word for word in words if not any(bracket in word for bracket in "[](){}")])


def phrase(chance: Random, words: Vocabulary) -> str:
    return " ".join(chunk(chance, words) for _ in range(chance.randint(2, 3)))


def plain_term(chance: Random, words: Vocabulary) -> str:
    """Return a term that may stand in NEAR, too."""
    kind = chance.randint(0, 6)
    if kind < 4:
        return chunk(chance, words)
    return f'"{phrase(chance, words)}"' if kind < 6 else chance.choice(WORD_PARTS)


def term(chance: Random, words: Vocabulary) -> str:
    """Return a term."""
    kind = chance.randint(0, 11)
    if kind < 6:
        return plain_term(chance, words)
    if kind == 6:
        return f"={chunk(chance, words)}"
    if kind == 7:
        return f'="{phrase(chance, words)}"'
    if kind < 10:
        return f'"{phrase(chance, words)}"~{chance.randint(0, MAX_DISTANCE)}'
    return f"/{chance.choice(PATTERNS)}/"


def leaf(chance: Random, words: Vocabulary) -> str:
    """Return a term, in a field, in brackets with an option, or near another one."""
    kind = chance.randint(0, 19)
    if kind < 9:
        return term(chance, words)
    if kind < 12:
        left = plain_term(chance, words)
        if chance.random() < 0.3:
            left = f"({left} OR {plain_term(chance, words)})"
        return f"{left} NEAR/{chance.randint(0, MAX_DISTANCE)} {plain_term(chance, words)}"
    if kind < 14:
        return f"{chance.choice(FIELDS)}:{term(chance, words)}"
    if kind == 14:
        return f"{chance.choice(FIELDS)}:({chunk(chance, words)} OR {chunk(chance, words)})"
    if kind == 15:
        return chance.choice(DOMAINS)
    if kind < 18:
        return f"({term(chance, words)} {chance.choice(('-in:link', 'in:link'))})"
    return f"({plain_term(chance, words)} exact:{chance.choice(VARIATIONS)})"


def query(chance: Random, words: Vocabulary) -> str:
    """Return leaves with operators and brackets between them."""
    text = leaf(chance, words)
    for _ in range(chance.randint(0, 3)):
        part = leaf(chance, words) if chance.random() < 0.8 else chance.choice((*FACTS, *LISTS))
        sign = chance.choice(SIGNS)
        kind = chance.randint(0, 12)
        if kind > 11:
            text = f"({text} {chance.choice(OPTIONS)})"
        elif kind > 9:
            text = f"{chance.choice(FIELDS)}:({text}){sign}{part}"
        elif kind < 6:
            text = f"{text}{sign}{part}"
        elif kind < 8:
            text = f"({text}){sign}{part}"
        elif kind == 8:
            text = f"{part} NOT ({text})"
        else:
            text = f"{part}{sign}({text})"
    return text
