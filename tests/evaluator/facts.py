"""What queries ask of an item besides its words: patterns, hosts and attributes."""

from __future__ import annotations

from itertools import pairwise

import re2

from overheard.items import Item
from overheard.matching.tree import Attribute, Domain, Pattern
from tests.evaluator.folding import is_unspaced
from tests.evaluator.paragraphs import Plain

Covered = set[tuple[str, int]]

DEFANGED = ("[.]", "(.)", "[dot]", "(dot)")


def pattern_places(pattern: Pattern, plain: list[Plain]) -> Covered | None:
    """Return the code points that a pattern matches; None if it does not occur."""
    options = re2.Options()
    options.case_sensitive = pattern.case
    compiled = re2.compile(f"(?m){pattern.regex}", options)
    covered: Covered = set()
    occurs = False
    for field, chars, links in plain:
        if field not in pattern.where.fields:
            continue
        for match in compiled.finditer("".join(char for char, _ in chars)):
            inside = chars[match.start() : match.end()]
            first = inside[0].at if inside else -1
            if pattern.where.in_links in (None, any(start <= first < end for start, end in links)):
                occurs = True
                covered |= {(field, at) for at in range(inside[0].at, inside[-1].at + 1)} if inside else set()
    return covered if occurs else None


def domain_places(domain: Domain, plain: list[Plain]) -> Covered | None:
    """Return the code points of the names of this host, or of one below it; None if there are none."""
    covered: Covered = set()
    for field, chars, _ in plain:
        if field in ("thread", "flair"):
            continue
        text = "".join(char for char, _ in chars)
        for start, end, name in names_in(text):
            if name == domain.host or name.endswith("." + domain.host):
                covered |= {(field, at) for at in range(chars[start].at, chars[end - 1].at + 1)}
    return covered or None


def names_in(text: str) -> list[tuple[int, int, str]]:
    """Return the names with dots in a text, and those within them that text without spaces touches."""
    found = whole_names_in(text)
    for start, end, _ in list(found):
        parts = [start, *(at for at in range(start + 1, end) if is_border(text[at - 1], text[at])), end]
        for first, last in pairwise(parts):
            found += [(first, last, name) for _, _, name in whole_names_in(text[first:last]) if len(parts) > 2]
    return found


def is_border(one: str, two: str) -> bool:
    """Return True between a character of a script without spaces and a plain one."""
    return any(is_unspaced(a) and b.isascii() and b.isalnum() for a, b in ((one, two), (two, one)))


def whole_names_in(text: str) -> list[tuple[int, int, str]]:
    """Return the names with dots in a text: where they stand, and the name."""
    found = []
    at = 0
    while at < len(text):
        end, name = at, ""
        while end < len(text):
            dot = next((sign for sign in DEFANGED if text[end:].lower().startswith(sign)), "")
            accent = end > at and "\u0300" <= text[end] <= "\u036f"
            if not dot and not accent and not text[end].isalnum() and text[end] not in "-.":
                break
            name += "." if dot else text[end].lower()
            end += len(dot) or 1
        while name.endswith(("-", ".")) and text[end - 1] in "-.":
            name, end = name[:-1], end - 1
        if name:
            found.append((at, end, name))
        at = max(end, at) + 1
    return found


def has_attribute(attribute: Attribute, item: Item) -> bool:
    wanted = attribute.value
    match attribute.name:
        case "source":
            return item.source.casefold() == wanted
        case "kind":
            return item.kind == wanted
        case "place":
            return is_like(bare(item.place), bare(wanted))
        case "author":
            return item.author is not None and is_like(bare(item.author), bare(wanted))
        case "lang":
            return item.lang.casefold() == wanted or item.lang.casefold().startswith(wanted + "-")
        case "is":
            return is_of(wanted, item)


def is_of(wanted: str, item: Item) -> bool:
    if wanted == "nsfw":
        return item.nsfw
    return item.kind == "post" and (item.url == "") is (wanted == "self")


def bare(name: str) -> str:
    """Return a name of a place or a person without what the source writes before it."""
    name = name.casefold().removeprefix("/")
    for prefix in ("r/", "u/", "@"):
        name = name.removeprefix(prefix)
    return name


def is_like(name: str, wanted: str) -> bool:
    """Return True for the name that is wanted; * at an end of it stands for anything."""
    inner = wanted.strip("*")
    if wanted.startswith("*") and wanted.endswith("*"):
        return inner in name
    if wanted.startswith("*"):
        return name.endswith(inner)
    return name.startswith(inner) if wanted.endswith("*") else name == inner
