"""The tables of docs/queries.md that `overheard query help` prints, too."""

from __future__ import annotations

from collections.abc import Iterable

from overheard.operations.query_topics import CHEAT_SHEET, RECIPES, TOPICS, QueryTopic


def cheat_sheet() -> str:
    """Return the table of all forms."""
    rows = "".join(f"| {_codes(form.written)} | {form.meaning} |\n" for form in CHEAT_SHEET)
    return f"| write | to find |\n|---|---|\n{rows}"


def recipes() -> str:
    """Return all recipes, each with its table."""
    return "\n".join(f"**{recipe.title}.** {recipe.about}\n\n{_table(recipe)}" for recipe in RECIPES)


def examples(topic: str) -> str:
    """Return a topic's table of examples."""
    return _table(TOPICS[topic])


def _table(topic: QueryTopic) -> str:
    rows = ((_codes([each.query]), _codes(each.finds), _codes(each.misses)) for each in topic.examples)
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"| query | finds | does not find |\n|---|---|---|\n{lines}"


def _codes(texts: Iterable[str]) -> str:
    # A | would end the cell, even in code.
    return " · ".join(f"`{text}`" for text in texts).replace("|", "\\|")
