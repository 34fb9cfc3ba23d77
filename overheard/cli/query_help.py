"""``overheard query help``: the query language by example."""

from __future__ import annotations

from collections.abc import Iterable

import click
from rich.text import Text

from overheard.cli import output
from overheard.cli.output import Column, print_hint, print_line
from overheard.operations.query_topics import (
    CHEAT_SHEET,
    RECIPES,
    RECIPES_TITLE,
    RECIPES_TOPIC,
    TOPICS,
    QueryExample,
    QueryTopic,
)

SEPARATOR = " · "
TABLE_MIN_COLUMNS = 72  # of a terminal; in narrower columns, queries and addresses would be broken anywhere
INDENT = 4
FORM_COLUMNS = (
    Column("Query", lambda form: Text(_separator().join(form.written), style="bold"), {"ratio": 3}),
    Column("Meaning", lambda form: form.meaning, {"ratio": 3}),
    Column("Topic", lambda form: Text(form.topic, style="dim"), {"justify": "right"}),
)
COLUMNS = (
    Column("Query", lambda example: Text(example.query, style="bold"), {"ratio": 2, "overflow": "fold"}),
    Column("Finds", lambda example: SEPARATOR.join(example.finds), {"ratio": 3, "overflow": "fold"}),
    Column(
        "Does not find",
        lambda example: Text(SEPARATOR.join(example.misses), style="dim"),
        {"ratio": 2, "overflow": "fold"},
    ),
)


@click.command
@click.argument("topic", required=False, type=click.Choice([*TOPICS, RECIPES_TOPIC]))
def help(topic: str | None) -> None:
    """Show the query language by example: an overview, or one TOPIC.

    A text in an example is the body of a comment, or an item's fields ("title: Acme is fast; author: alice"), named as
    in a file for `overheard query test --file`; ⏎ is a new line.
    """
    if topic:
        for number, part in enumerate(parts(topic)):
            if number:
                print_line()
            _print_topic(part)
        return
    print_line(("The query language", "bold"))
    print_line()
    _print_forms()
    print_line()
    print_line(("Examples of each: overheard query help TOPIC. Topics:", "dim"))
    for name, title in [*((name, each.title) for name, each in TOPICS.items()), (RECIPES_TOPIC, RECIPES_TITLE)]:
        print_line(f"  {name:<10}", (title, "dim"))


def parts(topic: str) -> tuple[QueryTopic, ...]:
    """Return what a topic consists of."""
    return RECIPES if topic == RECIPES_TOPIC else (TOPICS[topic],)


def _is_narrow() -> bool:
    return output.console().width < TABLE_MIN_COLUMNS


def _print_forms() -> None:
    if not _is_narrow():
        output.print_table(output.table(CHEAT_SHEET, FORM_COLUMNS, header=False))
        return
    for form in CHEAT_SHEET:
        for written in form.written:
            print_line((written, "bold"))
        print_hint(f"{form.meaning} ({form.topic})", INDENT)


def _print_examples(examples: Iterable[QueryExample]) -> None:
    if not _is_narrow():
        output.print_table(output.table(examples, COLUMNS))
        return
    for example in examples:
        print_line((example.query, "bold"))
        print_hint(f"✓ {SEPARATOR.join(example.finds)}", INDENT)
        print_hint(f"✗ {SEPARATOR.join(example.misses)}", INDENT)


def _separator() -> str:
    """Return what separates forms: a terminal would break a line within one of them."""
    return "\n" if output.console().is_terminal else "   "


def _print_topic(topic: QueryTopic) -> None:
    print_line((topic.title, "bold"))
    if topic.about:
        print_hint(topic.about.replace("`", ""), 0)
    print_line()
    _print_examples(topic.examples)
