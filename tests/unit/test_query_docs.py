"""docs/queries.md is true: each row, each command, each workspace file; and so is `overheard query help`."""

from __future__ import annotations

import re
import shlex

import pytest
from click.testing import CliRunner

from overheard.cli import cli
from overheard.matching.index.query_index import matches
from overheard.matching.language import QuerySyntaxError, parse
from overheard.matching.language.limits import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_FORMS,
    MAX_PATTERNS,
    MAX_PHRASE_WORDS,
    MAX_TERMS,
    MAX_WORDS,
)
from overheard.matching.language.regex import MAX_PATTERN_CHARACTERS
from overheard.matching.language.terms import MAX_DISTANCE
from overheard.operations.query_topics import CHEAT_SHEET, RECIPES, RECIPES_TOPIC, TOPICS
from overheard.workspaces import read
from tests.project import text_of
from tests.query_docs import commands, item, rows

PAGE = text_of("docs/queries.md")
EXAMPLES = [
    (query, text, expected)
    for (query,), finds, misses in rows(PAGE, "query", "finds", "does not find")
    for texts, expected in ((finds, True), (misses, False))
    for text in texts
]
ELSEWHERE = [(there, here) for (there,), here in rows(PAGE, "there", "here")]


@pytest.mark.parametrize(("query", "text", "expected"), EXAMPLES)
def test_a_row_is_true(query: str, text: str, expected: bool) -> None:
    assert (matches(parse(query), item(text)) is not None) is expected


def test_every_row_says_both() -> None:
    table = list(rows(PAGE, "query", "finds", "does not find"))
    assert len(table) > 100
    assert [query for query, finds, misses in table if not (len(query) == 1 and finds and misses)] == []
    assert PAGE.count("| query | finds |") == PAGE.count("| query | finds | does not find |")


@pytest.mark.parametrize(("there", "here"), ELSEWHERE)
def test_what_is_written_elsewhere_is_refused_with_a_remedy(there: str, here: list[str]) -> None:
    with pytest.raises(QuerySyntaxError) as refused:
        parse(there)
    assert refused.value.hint
    assert [parse(each) for each in here]


@pytest.mark.parametrize(("command", "output"), list(commands(PAGE)))
def test_a_command_prints_what_the_page_says(command: str, output: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "overheard"
    assert CliRunner().invoke(cli, arguments, prog_name=program).output == output


def test_the_limits_are_those_of_the_language() -> None:
    table = PAGE.partition("| of one query | at most |\n|---|---|\n")[2].partition("\n\n")[0]
    last_cells = [line.split("|")[-2] for line in table.splitlines()]
    figures = [int(figure.replace(",", "")) for cell in last_cells for figure in re.findall(r"\d[\d,]*\b", cell)]
    assert figures == [
        MAX_CHARACTERS,
        MAX_TERMS,
        MAX_WORDS,
        MAX_PHRASE_WORDS,
        MAX_DISTANCE,
        MAX_FORMS,
        MAX_PATTERNS,
        MAX_PATTERN_CHARACTERS,
        MAX_DEPTH,
    ]


def test_the_workspace_files_are_valid() -> None:
    files = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [spec.slug for file in files for spec in read(file, "docs/queries.md")] == ["acme"] * len(files)


def test_the_readme_s_queries_are_valid() -> None:
    table = list(rows(text_of("README.md"), "query", "finds"))
    assert len(table) == 5
    assert [parse(query) for (query,), _ in table]


def test_help_prints_every_form_and_topic() -> None:
    printed = CliRunner().invoke(cli, ["query", "help"]).output
    for form in CHEAT_SHEET:
        assert [parse(each) for each in form.written]
        assert "   ".join(form.written) in printed
        assert form.topic in TOPICS
    assert [name for name in TOPICS if f"  {name} " not in printed] == []


@pytest.mark.parametrize("name", [*TOPICS, RECIPES_TOPIC])
def test_help_prints_the_examples_of_a_topic(name: str) -> None:
    result = CliRunner().invoke(cli, ["query", "help", name])
    assert result.exit_code == 0
    topics = RECIPES if name == RECIPES_TOPIC else (TOPICS[name],)
    for example in (example for topic in topics for example in topic.examples):
        assert all(text in result.output for text in (example.query, *example.finds, *example.misses))
