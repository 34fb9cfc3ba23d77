"""Make a piece of malformed XML readable: first its characters and prefixes, else only the texts that feeds have. Pure.

All of it takes linear time: the input is whatever a server sends.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from overheard.sources.sanitize import TEXT_MAX_CHARS

NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}
PREFIXES_MAX = 50
# The elements that ``reduced`` keeps, by name; of the empty ones, the attributes.
TEXT_ELEMENTS = (
    *("title", "link", "guid", "id", "description", "summary", "content", "content:encoded", "comments", "author"),
    *("name", "dc:creator", "pubDate", "published", "updated", "dc:date", "ttl", "sy:updatePeriod"),
    "sy:updateFrequency",
)
ATTRIBUTES = ("href", "rel", "type", "isPermaLink")

_NAMES = {name.lower(): name for name in TEXT_ELEMENTS}
_CDATA_OR_AMPERSAND = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)|&(#\d{1,10};|#[xX][0-9a-fA-F]{1,8};|\w{1,32};)?", re.DOTALL
)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)(?:\]\]>|\Z)", re.DOTALL)
_ELEMENT = re.compile(r"<([A-Za-z_][\w.-]*(?::[\w.-]+)?)((?:\s[^<>]*)?)>")
_ATTRIBUTE = re.compile(r"([\w:.-]{1,50})\s{0,10}=\s{0,10}(?:\"([^\"<>]*)\"|'([^'<>]*)')")
_PREFIX = re.compile(r"[<\s/]([A-Za-z_][\w.-]{0,50}):[A-Za-z_]")
_DECLARED = re.compile(r"xmlns:([A-Za-z_][\w.-]{0,50})\s{0,10}=")
_XML_ENTITIES = ("lt;", "gt;", "amp;", "quot;", "apos;")


def is_well_formed(document: str) -> bool:
    """Return True if a parser that knows namespaces accepts the document."""
    parser = expat.ParserCreate("utf-8", " ")
    try:
        parser.Parse(document.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        return False
    return True


def repaired(content: str) -> str:
    """Return the content with every ``&`` as XML wants it: HTML's entities replaced, all others as plain text."""
    return _CDATA_OR_AMPERSAND.sub(_reference, content)


def _reference(match: re.Match[str]) -> str:
    if match[0].startswith("<"):
        return match[0] if match[0].endswith("]]>") else f"{match[0]}]]>"
    name = match[1]
    if name is None:
        return "&amp;"
    if name in _XML_ENTITIES:
        return match[0]
    text = html.unescape(match[0])
    # Unknown entities stay as they are; references to characters that XML forbids are dropped.
    return escape("".join(character for character in text if character >= " " or character in "\t\n\r"))


def with_prefixes(root: str, content: str) -> str:
    """Return the root's start tag with a declaration for each prefix that ``content`` uses without one."""
    declared = {"xml", "xmlns", *_DECLARED.findall(root), *_DECLARED.findall(content)}
    used = [prefix for prefix in dict.fromkeys(_PREFIX.findall(f"{root}{content}")) if prefix not in declared]
    added = "".join(
        f" xmlns:{prefix}={quoteattr(NAMESPACES.get(prefix, f'urn:undeclared:{prefix}'))}"
        for prefix in used[:PREFIXES_MAX]
    )
    end = -2 if root.endswith("/>") else -1
    return f"{root[:end]}{added}{root[end:]}"


def reduced(content: str) -> str:
    """Return the entry that remains of malformed content, or of a large one: the texts of TEXT_ELEMENTS, escaped."""
    outer = re.match(r"<([A-Za-z_][\w:.-]*)", content)
    is_entry = outer is not None and outer[1].rpartition(":")[2].lower() in ("item", "entry")
    inside = "".join(_elements(content, outer.end() if outer is not None and is_entry else 0))
    return f"<{outer[1]}>{inside}</{outer[1]}>" if outer is not None and is_entry else inside


def _elements(content: str, start: int) -> Iterator[str]:
    seen: set[str] = set()
    endless: set[str] = set()
    at = start
    while (found := _ELEMENT.search(content, at)) is not None:
        at = found.end()
        name = _NAMES.get(found[1].lower())
        if name is None:
            continue
        # Only the first of each: later ones belong to something inside, such as a quoted entry.
        if (first := name not in seen) or name == "link":
            seen.add(name)
        attributes = _attributes(found[2])
        if found[2].endswith("/"):
            if attributes:
                yield f"<{name}{attributes}/>"
            continue
        end = None if name in endless else _end_of(content, found[1], at)
        if end is None:
            endless.add(name)  # to look again and again would take a time that grows with the square of the text
            continue
        text, at = content[at : min(end, at + TEXT_MAX_CHARS)], end
        if name == "author" and "<" in text and "<![CDATA[" not in text:
            text = re.sub(r"<[^<>]*>", " ", text)
        if first or name == "link":
            yield f"<{name}{attributes}>{_as_text(text)}</{name}>"


def _end_of(content: str, name: str, start: int) -> int | None:
    """Return where the element ends: at its end tag, after a CDATA section that it begins with."""
    if content.startswith("<![CDATA[", start):
        start = max(content.find("]]>", start), start)
    end = content.find(f"</{name}", start)
    return None if end < 0 else end


def _attributes(text: str) -> str:
    found = ((name, double or single) for name, double, single in _ATTRIBUTE.findall(text))
    kept = [(name, value) for name, value in dict(found).items() if name in ATTRIBUTES]
    # Markup inside was escaped, so it is HTML now.
    html_type = [(name, "html" if name == "type" and value == "xhtml" else value) for name, value in kept]
    return "".join(f" {name}={quoteattr(html.unescape(value))}" for name, value in html_type)


def _as_text(text: str) -> str:
    """Return the text of an element, escaped once: it may be escaped already, or a CDATA section, or bare HTML."""
    parts: list[str] = []
    at = 0
    for section in _CDATA.finditer(text):
        parts += [_plain(text[at : section.start()]), section[1]]
        at = section.end()
    return escape("".join([*parts, _plain(text[at:])]))


def _plain(text: str) -> str:
    return html.unescape(text) if "<" not in text else text
