"""Turn HTML from a source into plain text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from overheard.sources.sanitize import sanitized

# HTML reopens formatting elements in each later block that they are still open in, so unclosed ones make the tree grow
# with the square of the text. Their names mean nothing to a text: they become spans, which are not reopened.
_FORMATTING = re.compile(r"<(/?)(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE)
_WHITESPACE = re.compile(r"[ \t\n\r\f]+")  # HTML's: a no-break space stays
_SHORTENED = re.compile(r"(?P<beginning>\S+?)(?:\.\.\.|…)")
_SCHEME = re.compile(r"https?://(?:www\.)?", re.IGNORECASE)
_DROPPED = frozenset(("head", "script", "style", "template", "iframe", "object", "svg", "math", "-comment"))
_PARAGRAPHS = frozenset(("p", "pre", "blockquote", "ul", "ol", "dl", "table", "h1", "h2", "h3", "h4", "h5", "h6"))
_LINES = frozenset(("article", "aside", "dd", "div", "dt", "figcaption", "figure", "footer", "header", "hr", "li"))
_LINES |= frozenset(("address", "details", "fieldset", "form", "main", "nav", "section", "summary", "tr"))
_LINK_MAX_PARTS = 8  # of the text of a shortened link; bounds the work for links with blocks inside


class _TextWriter:
    """Collects text. Whitespace becomes one space, or a line break at the edge of a block."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._breaks = 0
        self._space = False

    def break_lines(self, count: int) -> None:
        """Let the next text begin ``count`` lines further down, or more if another call has asked for more."""
        self._breaks = max(self._breaks, count)

    def add_line_break(self) -> None:
        self._breaks = min(self._breaks + 1, 2)

    def write(self, text: str) -> None:
        collapsed = _WHITESPACE.sub(" ", text)
        words = collapsed.strip(" ")
        if words:
            self._separate(self._space or collapsed.startswith(" "))
            self.parts.append(words)
            self._space = collapsed.endswith(" ")
        elif collapsed:
            self._space = True

    def write_preformatted(self, text: str) -> None:
        self._separate(spaced=False)
        self.parts.append(text)

    def end_preformatted(self) -> None:
        if self.parts:
            self.parts[-1] = self.parts[-1].rstrip("\r\n")

    def _separate(self, spaced: bool) -> None:
        if self.parts:
            self.parts.append("\n" * self._breaks or " " * spaced)
        self._breaks, self._space = 0, False

    def complete_link(self, address: str, start: int) -> None:
        """Replace the text from part ``start`` on by the address if it is only the address's beginning."""
        if len(self.parts) - start > _LINK_MAX_PARTS:
            return
        text = "".join(self.parts[start:])
        shortened = _SHORTENED.fullmatch(text.strip())
        if shortened and _bare(address).startswith(_bare(shortened["beginning"])):
            self.parts[start:] = [text[: -len(text.lstrip())], address]


def html_to_text(html: str) -> str:
    """Return the text of an HTML fragment, sanitized. At most TEXT_MAX_CHARS of the HTML are read.

    Paragraphs are separated by an empty line; line breaks and preformatted text are kept. A link is its text, or its
    address where the text is only the shortened address.
    """
    tree = LexborHTMLParser(_FORMATTING.sub(r"<\1span", sanitized(html)))
    writer = _TextWriter()
    preformatted = 0
    link = ("", 0)
    for node, opens in _walk(tree.root):
        tag = node.tag
        if tag == "-text":
            write = writer.write_preformatted if preformatted else writer.write
            write(node.text_content or "")
        elif tag == "a":
            if opens:
                link = (node.attributes.get("href") or "", len(writer.parts))
            else:
                writer.complete_link(*link)
        elif tag == "br" and opens:
            writer.add_line_break()
        elif tag in ("td", "th"):
            writer.write(" ")
        elif tag in _PARAGRAPHS or tag in _LINES:
            if tag == "pre":
                preformatted += 1 if opens else -1
                if not opens:
                    writer.end_preformatted()
            writer.break_lines(2 if tag in _PARAGRAPHS else 1)
    return sanitized("".join(writer.parts)).strip("\n")


def _walk(root: LexborNode | None) -> Iterator[tuple[LexborNode, bool]]:
    """Yield each node when it opens (True), and each element again when it closes (False)."""
    # No recursion: elements may be nested thousands deep.
    stack = [(root, True)] if root is not None else []
    while stack:
        node, opens = stack.pop()
        if node.tag in _DROPPED:
            continue
        yield node, opens
        if opens and node.tag != "-text":
            stack.append((node, False))
            stack.extend(reversed([(child, True) for child in _children(node)]))


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.child
    while child is not None:
        yield child
        child = child.next


def _bare(address: str) -> str:
    return _SCHEME.sub("", address, count=1)
