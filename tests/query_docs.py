"""The examples of docs/queries.md: its tables, its commands with their output, and the items that its texts mean."""

from __future__ import annotations

import re
from collections.abc import Iterator

from overheard.items import SEARCHED_TEXTS, Item
from overheard.operations.line_items import item_of
from overheard.sources.jsonl_files import MatchableLine

CODE = re.compile(r"(?<!`)(`+)(?!`) ?(.+?) ?(?<!`)\1(?!`)")
CELL_END = re.compile(r"(?<!\\)\|")
FIELD = re.compile(rf"(?:^|; )({'|'.join((*MatchableLine.__struct_fields__, *SEARCHED_TEXTS))}): ")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.+)\n", re.MULTILINE)
NEW_LINE = "⏎"

Row = tuple[list[str], ...]


def rows(text: str, *header: str) -> Iterator[Row]:
    """Yield the rows of all tables with this header: for each cell, the texts in backticks."""
    wanted = f"| {' | '.join(header)} |"
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            cells = CELL_END.split(line)[1:-1]
            assert len(cells) == len(header), line
            yield tuple([found[2].replace("\\|", "|") for found in CODE.finditer(cell)] for cell in cells)
        inside = inside or line == wanted


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of the console blocks, with the output below it."""
    for block in BLOCK.findall(text):
        _, *parts = COMMAND.split(block)
        yield from zip(parts[::2], parts[1::2], strict=True)


def item(text: str) -> Item:
    """Return the item that a text stands for: the body of a comment, or fields as in "title: Acme; author: alice"."""
    text = text.replace(NEW_LINE, "\n")
    if not FIELD.match(text):
        return item_of(MatchableLine(body=text)).item
    _, *parts = FIELD.split(text)
    fields: dict[str, str | bool] = dict(zip(parts[::2], parts[1::2], strict=True))
    texts = {name: str(fields.pop(name)) for name in SEARCHED_TEXTS if name in fields}
    for flag in ("over_18", "is_self"):
        if flag in fields:
            fields[flag] = fields[flag] == "true"
    return item_of(MatchableLine(**fields, texts=texts)).item  # type: ignore[arg-type]
