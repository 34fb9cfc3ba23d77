"""What the checks of names and words find, and what of it is accepted for now."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

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
# Where letters are those of an alphabet.
ALPHABET = ("overheard/matching/", "tests/unit/matching/", "tests/benchmarks/", "deploy/grafana/panels.py")
# Where the words themselves are listed.
LISTS = ("tests/naming.py", "tests/unit/test_words.py")
CLASS = re.compile(r"^ *class (\w+)[(:]", re.MULTILINE)


def repeated_classes() -> dict[str, list[str]]:
    """Return the class names that several classes of the product have, with their modules."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name in modules(PRODUCT):
        for found in CLASS.findall(text_of(name)):
            if found != "Meta":  # peewee's way to say what belongs to a table
                places[found].append(name)
    return {name: where for name, where in sorted(places.items()) if len(where) > 1}


def words_in(text: str, name: str) -> Counter[str]:
    """Return how often each of the words stands in a text, on the whole of its lines: code, comments and messages."""
    return Counter(
        word
        for word, pattern, _ in WORDS
        if not (word == "letter" and name.startswith(ALPHABET))
        for _ in pattern.finditer(text)
    )


def folder_of(name: str) -> str:
    """Return the folder that a file is counted under, so that files can be split and renamed: overheard/bus."""
    return "/".join(name.split("/")[:-1][:2]) or "."


def words_by_folder() -> dict[str, dict[str, list[str]]]:
    """Return for each folder and word the files that have it, each as often as it has it."""
    found: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in files():
        if name not in LISTS:
            for word, count in words_in(text_of(name), name).items():
                found[folder_of(name)][word] += [name] * count
    return {folder: dict(words) for folder, words in found.items()}
