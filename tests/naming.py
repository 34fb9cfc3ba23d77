"""What the checks of names and words find."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.project import PRODUCT, files, modules, text_of

# (word, pattern, what to write instead). A native reader stumbles on each of them.
WORDS = (
    ("mend", re.compile(r"\bmend(s|ed|ing)?\b", re.IGNORECASE), "fix, repair"),
    ("ill", re.compile(r"\bill\b|\bAILING\b"), "unhealthy, failing, down"),
    ("is no", re.compile(r"(?<!there )(?<!There )\b(is|are) no\b(?! (longer|more|one)\b)"), "is not a, is not an"),
    ("whoever", re.compile(r"\bwho(so)?ever\b", re.IGNORECASE), "name the process, the reader, the workspace"),
    (
        "letter",
        re.compile(r"(?<!dead )(?<!dead-)\bletters?\b(?!, digits| or a digit| into it)", re.IGNORECASE),
        "dead letter",
    ),
)
# Letters of an alphabet; and "letters" as a key of the JSON of ``overheard forget``, which scripts read.
OTHER_LETTERS = (
    "overheard/matching/",
    "tests/evaluator/",
    "tests/unit/matching/",
    "docs/queries.md",
    "overheard/operations/query_topics.py",
    "overheard/operations/query_warnings.py",
    "tests/unit/operations/test_query_explanation.py",
    "tests/benchmarks/",
    "tests/servers/canaries.py",
    "tests/soak/world.py",
    "deploy/grafana/panels.py",
    "overheard/cli/forget.py",
    "overheard/db/erasure_requests.py",
    "tests/unit/cli/test_forget.py",
    "tests/contract/test_db_erasure_requests.py",
    "tests/integration/test_cli.py",
)
# Where the words themselves are listed, and what was written in the past.
NOT_READ = ("tests/naming.py", "tests/unit/test_words.py", "CHANGELOG.md")
CLASS = re.compile(r"^ *class (\w+)[(:]", re.MULTILINE)


def repeated_classes() -> dict[str, list[str]]:
    """Return the class names that several classes of the product have, with their modules."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name in modules(PRODUCT):
        for found in CLASS.findall(text_of(name)):
            if found != "Meta":  # peewee's way to say what belongs to a table
                places[found].append(name)
    return {name: where for name, where in sorted(places.items()) if len(where) > 1}


def words_in(text: str, name: str) -> list[tuple[int, str]]:
    """Return (line number, word) of each of the words in a text, on whole lines: code, comments, messages."""
    return sorted(
        (text.count("\n", 0, found.start()) + 1, word)
        for word, pattern, _ in WORDS
        if not (word == "letter" and name.startswith(OTHER_LETTERS))
        for found in pattern.finditer(text)
    )


def forbidden_words() -> list[str]:
    """Return each line that has one of the words, as file:line, with what to write instead."""
    advice = {word: instead for word, _, instead in WORDS}
    return [
        f"{name}:{line}: {word!r}; write: {advice[word]}"
        for name in files()
        if name not in NOT_READ
        for line, word in words_in(text_of(name), name)
    ]
