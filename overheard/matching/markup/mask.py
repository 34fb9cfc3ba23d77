"""The mask of one text while it is made, and the characters that it contains in place of markup."""

import html
import re
from html.entities import html5

from overheard.matching.text.scripts import ENCODED_REST, IGNORED

BREAK = "\x1e"  # a paragraph ends: phrases and proximity stop

Span = tuple[int, int]

ESCAPE = r"\\[!-/:-@\[-`{-~\n]"
# Dumps of Reddit's API have it escaped once more: &amp;#x200B;
ENTITY = r"&(?:amp;)?(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_ENCODED = "(?:%[0-9a-fA-F]{2})+"
_IN_ADDRESS = re.compile(rf"{ESCAPE}|{ENTITY}|{_ENCODED}")


class Mask:
    """The text's characters with markup replaced; the addresses found: all, and those taken out of the flow."""

    def __init__(self, text: str) -> None:
        self._chars = list(text)
        self.links: list[Span] = []
        self.targets: list[Span] = []

    def __str__(self) -> str:
        return "".join(self._chars)

    def ignore(self, start: int, end: int) -> None:
        self._chars[start:end] = IGNORED * (end - start)

    def replace(self, start: int, end: int, char: str) -> None:
        """Put one character in place of the span, and invisible ones in the rest of it."""
        # A highlight of café covers all of caf&eacute;. Not for ASCII, which is read faster without the selectors.
        rest = ENCODED_REST if char.isalpha() and not char.isascii() else IGNORED
        self._chars[start:end] = char + rest * (end - start - 1)

    def break_at(self, at: int) -> None:
        self._chars[at] = BREAK

    def add_entity(self, entity: str, start: int) -> None:
        """Put the characters that an entity stands for in its place. An unknown entity stays."""
        if decoded := entity_text(entity):
            self.replace(start, start + len(entity), decoded[0])
            self._chars[start : start + len(decoded)] = decoded

    def add_address(self, text: str, start: int, end: int) -> None:
        """Take a bare address into the links, with its escapes, entities and percent-encoded characters read."""
        self.links.append((start, end))
        for match in _IN_ADDRESS.finditer(text, start, end):
            if match[0][0] == "\\":
                self.ignore(match.start(), match.start() + 1)
            elif match[0][0] == "%":
                self._add_encoded(match[0], match.start())
            else:
                self.add_entity(match[0], match.start())

    def _add_encoded(self, encoded: str, start: int) -> None:
        """Put each character of a run such as %C3%A9%20 in the place of its first byte. What is not UTF-8 stays."""
        for char in bytes.fromhex(encoded.replace("%", "")).decode(errors="surrogateescape"):
            if "\udc80" <= char <= "\udcff":
                start += 3
                continue
            length = 3 * len(char.encode())
            self.replace(start, start + length, char if char.isprintable() else " ")
            start += length

    def add_target(self, start: int, end: int) -> None:
        """Take an address out of the flow. The caller ignores it, with the signs around it."""
        if start < end:
            self.links.append((start, end))
            self.targets.append((start, end))

    def add_text(self, start: int, end: int) -> None:
        """Take a text out of the flow that is not an address: the title of a link."""
        # Shown when the pointer is over the link, or as the caption of an image, but not part of the sentence.
        if start < end:
            self.targets.append((start, end))


def entity_text(entity: str) -> str:
    """Return the text of a character reference with its semicolon, "" if it has none."""
    entity = entity.replace("&amp;", "&", 1) if len(entity) > 5 else entity
    # unescape would read &notit; as ¬it;
    return html.unescape(entity) or "\ufffd" if entity[1] == "#" else html5.get(entity[1:], "")
