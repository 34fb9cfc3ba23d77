"""What a word of a query finds, from the way it is written: the rules of spellings, in plain form.

A chunk is what a query writes without white space: ``wi-fi``, ``AT&T``, ``@acme``, ``U.S.``, ``C++``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from itertools import combinations, product

from tests.evaluator.folding import APOSTROPHES, HYPHENS
from tests.evaluator.spellings import (
    Place,
    begins,
    ends,
    is_allowed,
    is_one_of,
    is_space,
    plain_gap,
    sign_before,
    signs_behind,
)
from tests.evaluator.words import Char, Paragraph, ReadWord, forms, is_thousands, is_version, joins, kind_of, read

Exact = Collection[str]

# Before 's, these are not owners: it's is it is.
CONTRACTED = ("he", "here", "how", "it", "let", "she", "that", "there", "this", "what", "where", "who")


def chunk(text: str) -> Paragraph:
    """Return the words of a chunk, and the signs around them."""
    return read([Char(char, at) for at, char in enumerate(text)], "query")


def phrase_finds(text: str, paragraph: Paragraph, exact: Exact = ()) -> list[Place]:
    """Return the places where the chunks of a phrase stand side by side."""
    found: list[Place] | None = None
    for one in text.split():
        places = chunk_finds(chunk(one), paragraph, exact)
        if found is None:
            found = places
            continue
        found = [
            Place(left.first, right.last, left.start, right.end)
            for left, right in product(found, places)
            if left.last == right.first
        ]
    return found or []


def chunk_finds(wanted: Paragraph, paragraph: Paragraph, exact: Exact) -> list[Place]:
    """Return the places of a chunk."""
    if is_grouped(wanted) and "numbers" not in exact:
        return chunk_finds(chunk("".join(word.written for word in wanted.words)), paragraph, exact)
    found = as_written(wanted, paragraph, exact) + in_other_forms(wanted, paragraph, exact)
    found += as_one_word(wanted, paragraph, exact)
    for other in shorter(wanted, exact):
        found += chunk_finds(other, paragraph, exact)
    return found


def as_written(wanted: Paragraph, paragraph: Paragraph, exact: Exact) -> list[Place]:
    """Return where its words stand side by side, with its signs between them."""
    length = len(wanted.words)
    found = []
    for first in range(len(paragraph.words) - length + 1):
        last = first + length
        if not all(
            equal(wanted.words[number], paragraph, first + number, exact)
            and (number == 0 or between(wanted.gap(number), paragraph.gap(first + number), exact))
            for number in range(length)
        ):
            continue
        if is_dotted(wanted) and not (begins(paragraph, first) and ends(paragraph, last)):
            continue
        found += with_signs(wanted, paragraph, first, last)
    return found


def equal(wanted: ReadWord, paragraph: Paragraph, at: int, exact: Exact) -> bool:
    """Return True if a word of the text is the one wanted, or is v2 in v2.0 where 2 is wanted."""
    if same(wanted, paragraph.words[at].folded, paragraph.words[at].accented, exact):
        return True
    return "numbers" not in exact and any(
        form.length == 1 and form.form == wanted.folded for form in forms(paragraph, at)
    )


def same(wanted: ReadWord, folded: str, accented: str, exact: Exact) -> bool:
    """Return True for the same word; accents count only where the query says so."""
    return wanted.accented == accented if "accents" in exact else wanted.folded == folded


def between(wanted: str, gap: str, exact: Exact) -> bool:
    """Return True for the same signs: a hyphen may be another one, or white space; an apostrophe may be another one.

    Without any sign, as in a script without spaces, whatever stands there counts as nothing.
    """
    if not wanted:
        return True
    if is_one_of(wanted, HYPHENS):
        return is_one_of(gap, HYPHENS) or ("hyphens" not in exact and is_space(gap))
    if is_one_of(wanted, APOSTROPHES):
        return is_one_of(gap, APOSTROPHES)
    return plain_gap(gap) == plain_gap(wanted)


def with_signs(wanted: Paragraph, paragraph: Paragraph, first: int, last: int) -> list[Place]:
    """Return the place, if the text has the signs that the query writes before and behind the chunk."""
    before = wanted.gap(0)[-1:] if sign_before(wanted, 0) else ""
    behind = signs_behind(wanted, len(wanted.words) - 1)
    start, end = paragraph.words[first].start, paragraph.words[last - 1].end
    if before:
        if sign_before(paragraph, first) != before:
            return []
        start = paragraph.gaps[first][-1].at
    if behind:
        if signs_behind(paragraph, last - 1) != behind:
            return []
        end = paragraph.gaps[last][len(behind.lstrip(".")) - 1].at + 1
    return [Place(first, last, start, end)]


def in_other_forms(wanted: Paragraph, paragraph: Paragraph, exact: Exact) -> list[Place]:
    """Return where the text writes a single word with a sign in it: wi-fi for wifi."""
    if len(wanted.words) > 1:
        return []
    return [
        place
        for first in range(len(paragraph.words))
        for form in forms(paragraph, first)
        if form.length > 1 and same(wanted.words[0], form.form, form.accented, exact) and is_allowed(form.by, exact)
        for place in with_signs(wanted, paragraph, first, first + form.length)
    ]


def as_one_word(wanted: Paragraph, paragraph: Paragraph, exact: Exact) -> list[Place]:
    """Return where the text writes the whole chunk as one word: wifi for wi-fi."""
    words = wanted.words
    signs = [wanted.gap(number) for number in range(1, len(words))]
    if not signs or not all(map(joins, [one.folded for one in words], signs, [two.folded for two in words[1:]])):
        return []
    joints = (kind_of(one.folded, sign, two.folded) for one, sign, two in zip(words, signs, words[1:], strict=False))
    if not is_allowed("".join(joints), exact):
        return []
    folded = "".join(word.folded for word in words)
    accented = "".join(word.accented for word in words)
    acronym = set(signs) == {"."} and all(len(word.written) == 1 for word in words)
    return [
        place
        for first, word in enumerate(paragraph.words)
        if (word.accented == accented if "accents" in exact else word.folded == folded)
        and (not acronym or word.written == folded.upper())
        for place in with_signs(wanted, paragraph, first, first + 1)
    ]


def is_grouped(wanted: Paragraph) -> bool:
    """Return True for a number with thousands separators, and nothing else."""
    words = wanted.words
    return len(words) > 1 and all(
        is_thousands(words[at - 1].folded, wanted.gap(at), words[at].folded) for at in range(1, len(words))
    )


def shorter(wanted: Paragraph, exact: Exact) -> list[Paragraph]:
    """Return the chunk without a possessive 's, and without the v of a version."""
    words, gaps = wanted.words, wanted.gaps
    found = []
    if len(words) < 2:
        return []
    is_possessive = words[-1].folded == "s" and is_one_of(wanted.gap(len(words) - 1), APOSTROPHES)
    if "possessives" not in exact and is_possessive and words[-2].folded not in CONTRACTED:
        found.append(Paragraph(wanted.field, words[:-1], [*gaps[: len(words) - 1], gaps[-1]]))
    is_number = wanted.gap(1) == "." and is_version(words[0].folded) and words[1].folded[0].isdigit()
    if "numbers" not in exact and is_number:
        number = words[0]._replace(folded=words[0].folded[1:], accented=words[0].accented[1:])
        found.append(Paragraph(wanted.field, [number, *words[1:]], gaps))
    return found


def exactly_finds(text: str, paragraph: Paragraph) -> list[Place]:
    """Return where the text says exactly this, case and signs included, at the borders of words."""
    wanted = exact_text(text)
    parts = [chunk(part) for part in wanted.split()]
    shown = said(paragraph)
    found = []
    for at, stop in combinations(range(len(shown) + 1), 2):
        # An accent may be a character of its own.
        if stop - at > 2 * len(wanted) or composed("".join(char for char, _, _ in shown[at:stop])) != composed(wanted):
            continue
        inside = [number for _, _, number in shown[at:stop] if number >= 0]
        if not (inside and is_border(shown, at) and is_border(shown, stop)):
            continue
        if not has_same_signs(parts, paragraph, inside[0], inside[-1]):
            continue
        if any(map(is_dotted, parts)) and not (begins(paragraph, inside[0]) and ends(paragraph, inside[-1] + 1)):
            continue
        start = shown[at][1]
        end = shown[stop - 1][1] + 1 if shown[stop - 1][2] < 0 else paragraph.words[inside[-1]].end
        found.append(Place(inside[0], inside[-1] + 1, start, end))
    return found


def has_same_signs(parts: list[Paragraph], paragraph: Paragraph, first: int, last: int) -> bool:
    """Return True unless a sign is part of something else in the text: the # of page#part, the + of C++."""
    before, behind = sign_before(parts[0], 0), signs_behind(parts[-1], len(parts[-1].words) - 1)
    if before and sign_before(paragraph, first) != before:
        return False
    return not behind or signs_behind(paragraph, last) == behind


def is_border(shown: list[tuple[str, int, int]], at: int) -> bool:
    """Return True unless a word goes on here."""
    return at in (0, len(shown)) or shown[at - 1][2] != shown[at][2] or shown[at][2] < 0


def composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def is_dotted(wanted: Paragraph) -> bool:
    """Return True for a chunk with a dot between two words."""
    return any(wanted.gap(number) == "." for number in range(1, len(wanted.words)))


def exact_text(text: str) -> str:
    """Return a text from its first word to its last, with the signs that belong to them."""
    written = chunk(text)
    first = with_signs(written, written, 0, len(written.words))[0]
    return "".join(char for char, at, _ in said(written) if first.start <= at < first.end)


def said(paragraph: Paragraph) -> list[tuple[str, int, int]]:
    """Return the characters that are there, each with its place and its word's number.

    White space is one space, and hyphens and apostrophes have one form.
    """
    shown: list[tuple[str, int, int]] = []
    for number, gap in enumerate(paragraph.gaps):
        for char, at in gap:
            if not (char.isspace() and shown and shown[-1][0] == " "):
                shown.append((" " if char.isspace() else plain_sign(char), at, -1))
        if number < len(paragraph.words):
            word = paragraph.words[number]
            # Of a character in a word only its order counts.
            shown += [(plain_sign(char), word.start, number) for char in word.written]
    return shown


def plain_sign(char: str) -> str:
    """Return the usual form of a hyphen or an apostrophe; other characters as they are."""
    return "-" if char in HYPHENS else "'" if char in APOSTROPHES else char
