"""A response's bytes as text, and the format of that text. Pure."""

from __future__ import annotations

import codecs
import re

from overheard.sources.feeds import json_feed, xml_feed
from overheard.sources.feeds.entries import FeedDocument, UnreadableFeed

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# "<" in an encoding without a mark (XML 1.0, appendix F).
FIRST_CHARACTERS = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
# Python has other codecs, too, which are not character sets, or slow.
CHARACTER_SETS = re.compile(r"utf[-_]?(8|16|32)|iso|latin|cp\d|windows|koi8|big5|gb|euc|shift|johab|hz|mac|tis|ascii")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
# XML forbids them all, databases some.
_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FIRST_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]*)")
_PROLOG = re.compile(r"\s+|<\?|<!--|<!DOCTYPE", re.IGNORECASE)
_SUBSET_END = re.compile(r"\]\s*>")
_ALTERNATE = re.compile(r"<link\b[^<>]{0,2000}", re.IGNORECASE)
_HTML_ELEMENTS = frozenset(("html", "head", "body", "title", "meta", "div", "p"))


def parse(
    body: bytes, content_type: str, base: str, *, max_seconds: float = xml_feed.PARSE_MAX_SECONDS
) -> FeedDocument:
    """Return the feed in a response. ``base``: the URL for relative links. Raises UnreadableFeed.

    ``max_seconds``: of computing, for the entries.
    """
    text = decoded(body, content_type)
    start = text.lstrip()[:1]
    if not start:
        raise UnreadableFeed("an empty document, not a feed")
    if start == "{":
        return json_feed.parse(text, base)
    root, name = _first_element(text, 0)
    if name and (late := text.find("<?xml", root)) > 0 and name.lower() not in ("html", *xml_feed.ROOTS):
        root, name = _first_element(text, late)  # after a warning of the publisher's software
    local = name.rpartition(":")[2].lower()
    if local in xml_feed.ROOTS:
        return xml_feed.parse(text, root, name, base, max_seconds=max_seconds)
    raise UnreadableFeed(_web_page(text) if local in _HTML_ELEMENTS else "not RSS, Atom or JSON Feed")


def decoded(body: bytes, content_type: str) -> str:
    """Return the text: by its byte-order mark, else as UTF-8 if it is, else as its headers or itself declare."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _clean(body[len(mark) :].decode(encoding, "replace"))
    for first, encoding in FIRST_CHARACTERS:
        if body.startswith(first):
            return _clean(body.decode(encoding, "replace"))
    declared = [name for name in _declared(body, content_type) if _is_character_set(name)]
    if not any(codecs.lookup(name).name.startswith(("iso2022", "hz")) for name in declared):  # those are ASCII bytes
        declared.insert(0, "utf-8")  # text in another encoding is hardly ever valid UTF-8, and headers are often wrong
    for name in declared:
        try:
            return _clean(body.decode(name))
        except UnicodeDecodeError:
            continue
    return _clean(_mostly_utf8(body))


def _mostly_utf8(body: bytes) -> str:
    """Return text that nothing decodes: UTF-8 with some broken characters, else Windows-1252."""
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken <= sum(character > "\x7f" for character in text) - broken:
        return text
    return body.decode("windows-1252", "replace")


def _declared(body: bytes, content_type: str) -> list[str]:
    names = [found[1]] if (found := _CHARSET.search(content_type)) else []
    if xml := _XML_ENCODING.search(body[:1000]):
        names.append(xml[1].decode("ascii", "replace"))
    # Everything is valid in these two, so they would win over what comes later.
    anything = [name for name in names if name.lower() in ("iso-8859-1", "latin1", "us-ascii", "ascii")]
    return [name for name in names if name not in anything] + ["windows-1252" for _ in anything]


def _is_character_set(name: str) -> bool:
    try:
        return bool(CHARACTER_SETS.match(codecs.lookup(name).name))
    except LookupError:
        return False


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)


def _first_element(text: str, at: int) -> tuple[int, str]:
    """Return where the first element begins, and its name; what a DOCTYPE declares is skipped, never expanded."""
    while found := _PROLOG.match(text, at):
        opening = found[0].upper()
        end = found.end()
        if opening == "<?":
            end = _after(text, "?>", end)
        elif opening == "<!--":
            end = _after(text, "-->", end)
        elif opening == "<!DOCTYPE":
            close = text.find(">", end)
            bracket = text.find("[", end, close if close >= 0 else len(text))
            subset = _SUBSET_END.search(text, bracket) if bracket >= 0 else None
            end = subset.end() if subset is not None else _after(text, ">", end)
        at = end
    found = _FIRST_ELEMENT.search(text, at)
    return (found.start(), found[1]) if found else (0, "")


def _after(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found < 0 else found + len(mark)


def _web_page(text: str) -> str:
    links = [link[0].lower() for link in _ALTERNATE.finditer(text[:200_000])]
    feeds = sum("alternate" in link and ("+xml" in link or "feed+json" in link) for link in links)
    hint = "; it links none" if not feeds else "; it links one, in its <head>" if feeds == 1 else f"; it links {feeds}"
    return f"a web page, not a feed{hint}"
