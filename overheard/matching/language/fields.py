"""The names of fields: ours, and those of other tools with what to write here instead."""

from __future__ import annotations

import difflib
import re

from overheard.items import SEARCHED_TEXTS
from overheard.matching.language.errors import shortened
from overheard.matching.tree import DEFAULT_FIELDS, FieldName

# Where words may be searched. `url` is the addresses of all of them: tree.Where has the rest.
TEXT_FIELDS: dict[str, tuple[FieldName, ...]] = {
    "title": ("title",),
    "body": ("body",),
    **{name: (name,) for name in SEARCHED_TEXTS},
    "thread": ("thread",),
    "flair": ("flair",),
    "url": DEFAULT_FIELDS,
}
VALUE_FIELDS = ("domain", "author", "place", "subreddit", "source", "is", "lang")
OPTION_FIELDS = ("in", "exact")
FIELD_NAMES = (*TEXT_FIELDS, *VALUE_FIELDS, *OPTION_FIELDS)

# The fields of GitHub, Gmail, Lucene, Google, Reddit, X and Algolia, by what comes closest to them here.
_FOREIGN = {
    "title:": "allintitle headline intitle subject",
    "body:": "allintext content description inbody intext selftext text",
    "url:": "allinurl inurl link path",
    "domain:": "host site",
    "author:": "assignee creator from involves self_author user username",
    "place:": "channel community group org repo",
    "subreddit:": "sub",
    "lang:": "language",
    "flair:": "flair_text label link_flair link_flair_text linkflair",
    "source:": "platform",
}
_OURS = {name: field for field, names in _FOREIGN.items() for name in names.split()}
_INSTEAD = {
    **dict.fromkeys(("kind", "type"), "Write is:post or is:comment instead of"),
    **dict.fromkeys(("nsfw", "over_18"), "Write is:nsfw, or -is:nsfw, instead of"),
    **dict.fromkeys(("self", "is_self"), "Write is:self, or is:link, instead of"),
    "regex": "Write the expression between slashes, /…/, instead of",
    "has": "Write is:link, or url:…, instead of",
    "mentions": "Write the @name as a word instead of",
    "sort": "Leave out",
    "filetype": "Write url:… instead of",
    "filter": "Write is:link, or url:…, instead of",
    **dict.fromkeys(("category", "hashtag", "tag", "tags"), "Write the #tag as a word, or flair:…, instead of"),
}
# What has no place in a query about news.
_NONE = """
after bcc before cache cc comments created date ext extension file filename forks geocode inanchor larger list milestone
min_faves min_replies min_retweets newer_than num_comments older_than points pushed related score since smaller sort
stars state status to topic until
"""
_ANY = re.compile(rf"({'|'.join((*_OURS, *_INSTEAD, *_NONE.split()))})[:：](?!:|//)", re.IGNORECASE)
_NAME = re.compile(r"([a-z_]{4,})[:：](?!:|//)", re.IGNORECASE)
_LONG_NAMES = [name for name in FIELD_NAMES if len(name) > 3]


def foreign_field(word: str) -> tuple[str, str] | None:
    """Return (message, the remedy, which the word is to follow) for a field that is none of ours, or None."""
    match = _ANY.match(word) or _NAME.match(word)
    if match is None:
        return None
    name = match[1].lower()
    field = _OURS.get(name) or (misspelt(name) if match.re is _NAME else None)
    if field is None and match.re is _NAME:
        return None
    remedy = (
        f"Write {field}{shortened(word[match.end() :])} instead of"
        if field
        # A number or a date is nothing to search for without its field.
        else _INSTEAD.get(name, "Leave out" if word[match.end() :][:1].isdigit() else "Leave the field's name out of")
    )
    return f"{match[1]}: is not a field", remedy


def misspelt(name: str) -> str | None:
    """Return the field, with its colon, that a name comes close to; None if it is a name of its own."""
    # With another beginning, or length, it more often is: clang:tidy, golang:1.21, resource:x.
    likely = [field for field in _LONG_NAMES if field[0] == name[0] and abs(len(field) - len(name)) < 2]
    close = difflib.get_close_matches(name, likely, 1, 0.8)
    return f"{close[0]}:" if close else None


def closest(value: str, allowed: tuple[str, ...]) -> str:
    """Return a hint that names the values that are allowed, the closest one first."""
    close = difflib.get_close_matches(value.lower(), allowed, 1, 0.6)
    return (f"Did you mean {close[0]}? " if close else "") + f"There are {', '.join(allowed[:-1])} and {allowed[-1]}."
