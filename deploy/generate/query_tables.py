"""The tables of docs/queries.md that `overheard query help` prints, too."""

from __future__ import annotations

from collections.abc import Iterable

from overheard.operations.query_topics import CHEAT_SHEET, TOPICS


def cheat_sheet() -> str:
    """Return the table of all forms."""
    rows = "".join(f"| {_codes(form.written)} | {form.meaning} |\n" for form in CHEAT_SHEET)
    return f"| write | to find |\n|---|---|\n{rows}"


def examples(topic: str) -> str:
    """Return a topic's table of examples."""
    rows = "".join(
        f"| {_codes([each.query])} | {_codes(each.finds)} | {_codes(each.misses)} |\n"
        for each in TOPICS[topic].examples
    )
    return f"| query | finds | does not find |\n|---|---|---|\n{rows}"


def _codes(texts: Iterable[str]) -> str:
    # A | would end the cell, even in code.
    return " · ".join(f"`{text}`" for text in texts).replace("|", "\\|")
