"""The mask of a text, and a cheap test for texts that can be read without one."""

import re
from typing import NamedTuple

from overheard.matching.markup.blocks import Blocks
from overheard.matching.markup.inline import Inline
from overheard.matching.markup.mask import Mask, Span

# A text without any of these, nor an address, is its own mask.
_ANY_MARK = re.compile(r"[\\`&<>\[*_~^|\n\r•]")
_ITEM_OR_HEADING = re.compile(r"[ \t]*+(?:[-+#=]|\d++[.)])")
# Marks change the words, their neighbours or their joints only if they remove words (tags, entities, targets, what is
# encoded), or if they are between letters or digits without white space: **Ac**me, **wi**-fi. Twenty signs in a row are
# not counted.
_HIDES = re.compile(
    r"[*~`^\\<>_&%](?:(?<=<)[A-Za-z/]|(?<=&)\#?\w++;|(?<=%)[0-9A-Fa-f]{2}"
    r"|(?<=[^\s*~`^\\<>_][*~`^\\<>_])(?!(?<=[^\W_]_)[^\W_])(?:[^\w\s]|_){0,20}+\S)"
)


class Flow(NamedTuple):
    """What to read of a text: its mask, as long as the text, and spans in the text.

    ``targets``: what was taken out of the flow, to be read apart: addresses of links, and their titles. ``links``: all
    addresses, in the flow and out of it. Both are sorted and do not overlap.
    """

    masked: str
    targets: tuple[Span, ...] = ()
    links: tuple[Span, ...] = ()


def flow(text: str) -> Flow:
    """Return a text with its markup masked."""
    if _is_plain(text):
        return Flow(text)
    mask = Mask(text)
    if "\r" in text:
        text = text.replace("\r\n", " \n").replace("\r", "\n")
    blocks = Blocks(text, mask)
    inline = Inline(text, mask, blocks.labels)
    for start, end, code in blocks.stretches:
        if code:
            inline.read_code(start, end)
        else:
            inline.read(start, end)
    return Flow(str(mask), tuple(sorted(mask.targets)), tuple(sorted(mask.links)))


def address_mask(text: str) -> str:
    """Return an address, or the target of a link, with escapes, entities and percent-encoded characters masked."""
    if "&" not in text and "\\" not in text and "%" not in text:
        return text
    mask = Mask(text)
    mask.add_address(text, 0, len(text))
    return str(mask)


def needs_mask(text: str) -> bool:
    """Return False only if the text itself contains all words, neighbours and joints that its mask contains."""
    return "](" in text or "]:" in text or _HIDES.search(text) is not None


def _is_plain(text: str) -> bool:
    return not (_ANY_MARK.search(text) or "://" in text or "www." in text.lower() or _ITEM_OR_HEADING.match(text))
