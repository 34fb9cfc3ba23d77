"""Where addresses and the tails of links end, in Markdown, in HTML and bare."""

import re

from overheard.matching.markup.mask import ENTITY, Span

# Repeated groups are not possessive here, only classes are: Python before 3.11.5 (Debian 12 has 3.11.2) does not put
# the position back where the last repetition fails half-way (https://github.com/python/cpython/issues/106052).
TITLE = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\)"

# Three levels of brackets are more than addresses have; no limit would take quadratic time on "[](" again and again.
_INNERMOST = r"\([^\s()\\]*+\)"
_INNER = rf"\((?:[^\s()\\]|\\.|{_INNERMOST})*\)"
_BRACKETS = rf"\((?:[^\s()\\]|\\.|{_INNER})*\)"
TAIL = re.compile(
    rf"\(\s*+(?:<(?P<angled>[^<>\n]*+)>|(?P<bare>(?!<)(?:[^\s()\\]|\\.|{_BRACKETS})*))"
    rf"(?:\s++(?P<title>{TITLE}))?\s*+\)"
)
REFERENCE = re.compile(r"\[(?P<label>(?:[^\[\]\\]|\\.){0,999})\]")
LABEL_MAX_CHARS = 999  # CommonMark's limit
BRACKET = re.compile(r"\\.|[\[\]]", re.DOTALL)

# What may not be in an address ends it: quotes and signs that URLs must encode, punctuation of scripts without spaces.
_URL_CHAR = r"[^\s<>\"`|^()\[\]\\&\x01\u2018-\u201f\u00ab\u00bb\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40]"
_URL_PART = rf"{_URL_CHAR}|&(?!(?:gt|lt|quot|nbsp|\#0?39|\#x27|\#x200b);)|\\[!-/:-@\[-`{{-~]"
_URL_REST = re.compile(
    rf"(?:{_URL_PART}|\((?:{_URL_PART}|\((?:{_URL_PART})*\))*\)|\[(?:{_URL_PART})*\](?!\())+", re.IGNORECASE
)
_URL_START = re.compile(r"(?:https?://|www\.)(?=[^\W_]|\[)", re.IGNORECASE)
_ENTITY = re.compile(ENTITY)
_ENTITY_MAX_CHARS = 38
_TRAILING = "?!.,:;*_~'\\…"
BARE = re.compile(r"://|[wW](?=[wW]{2}\.)")
AUTOLINK = re.compile(r"<((?:https?://|www\.|mailto:)[^\s<>]++)>", re.IGNORECASE)


def bare_address(text: str, at: int, start: int, end: int) -> Span | None:
    """Return the address around a match of BARE at ``at``, within the span given."""
    if text[at] == ":":
        scheme = text[max(start, at - 5) : at].lower()
        at -= 5 if scheme == "https" else 4
        if not scheme.endswith("http") and scheme != "https":
            return None
    before = text[at - 1] if at > start else " "
    if before == "_" and text[at] in "wW":
        # It may be that of emphasis, but not that of a name.
        before = text[at - 2] if at - 1 > start else " "
    if before.isascii() and (before.isalnum() or (before in "/.@-" and text[at] in "wW")):
        return None
    opening = _URL_START.match(text, at, end)
    if opening is None:
        return None
    rest = _URL_REST.match(text, opening.end(), end)
    return (at, _without_trailing_signs(text, opening.end(), rest.end())) if rest else None


def _without_trailing_signs(text: str, start: int, end: int) -> int:
    """Return where an address ends without the punctuation after it, which may be written as entities."""
    while end > start and text[end - 1] in _TRAILING:
        entity = text.rfind("&", max(start, end - _ENTITY_MAX_CHARS), end) if text[end - 1] == ";" else -1
        end = entity if entity >= 0 and _ENTITY.fullmatch(text, entity, end) else end - 1
    return end


def has_nested_label(text: str, at: int, end: int) -> bool:
    """Return True if brackets with others in them begin at a position: no label, but what is before is none, either."""
    depth = 0
    for bracket in BRACKET.finditer(text, at, min(end, at + LABEL_MAX_CHARS + 2)):
        depth += {"[": 1, "]": -1}.get(bracket[0], 0)
        if depth <= 0:
            return depth == 0 and bracket[0] == "]"
    return False


def normal_label(label: str) -> str:
    """Return the label of a reference in the form in which labels are compared."""
    return " ".join(label.split()).casefold()
