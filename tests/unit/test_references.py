"""What code, comments and documents refer to is there: invariants, files, tests, make targets, commands, messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import PurePosixPath

import pytest

from overheard.cli import ALIASES, ENTRIES
from tests.project import PRODUCT, ROOT, files, text_of

INVARIANT = re.compile(r"\bI\d{1,2}\b")
DOCUMENT = re.compile(r"(?<![\w./}-])[\w./-]+\.md\b(?:#[\w-]+)?")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
FILE = re.compile(r"(?<![\w./*<{$-])(?:[\w-]+/)*[\w-]+\.py\b")
PATH = re.compile(r"(?<!`)`((?:[\w.-]+/)+[\w.-]*)`(?!`)")
DOTTED = re.compile(r"`((?:overheard|actors|producers|deploy|tests)(?:\.\w+)+)`|python -m ([\w.]+)")
TARGET = re.compile(
    r"`make ([a-z]+)|^make ([a-z]+)(?=\s*$|\s+[#A-Z])|\b[Rr]un: make ([a-z]+)|date: make ([a-z]+)\b", re.M
)
COMMAND = re.compile(r"`+(?:sudo )?overheard ([a-z][^`\n]*)`|^(?:sudo )?overheard ([a-z][^|\n]*)", re.MULTILINE)

DECLARED = re.compile(r'^@\w+\.command(?:\("([a-z-]+)")?.*?^def (\w+)', re.MULTILINE | re.DOTALL)
ADDED = re.compile(r"^\w+\.add_command\((\w+)\)", re.MULTILINE)
SUBCOMMAND = re.compile(r"[a-z][a-z-]+")
TEST = re.compile(r"`(test_\w+)`")
SYMPTOM_TABLE = re.compile(r"^\| symptom \|.*?(?:^$|\Z)", re.MULTILINE | re.DOTALL)
MESSAGE = re.compile(r"^\| `([^`]+)`", re.MULTILINE)
FILLED_IN = re.compile(r"\d+|…|:|\b[A-Z][A-Z_]*\b")  # what stands for something else in each message

# The examples here lead nowhere on purpose, and the changelog tells of what is gone.
NOT_READ = ("tests/unit/test_references.py", "CHANGELOG.md")
INSTALLED = "/opt/overheard/current/"  # where a server has what is in the root here
SHORT_FOR = (
    "",
    "overheard/",
    "docs/",
    "deploy/",
    "tests/",
    "tests/unit/",
    "tests/unit/channels/",
)  # `bus/` is overheard/bus/
TOPS = {name.partition("/")[0] for name in files() if "/" in name} | {
    name.split("/")[1] for name in files() if name.startswith("overheard/") and name.count("/") > 1
}
# Names on the bus that look like a module's.
ON_THE_BUS = {"overheard.events", "overheard.ingress", "overheard.rejected", "overheard.unrouted"}
# Examples, files of others, and files that tests make.
NOT_OURS = {
    "deploy/lib/SCRIPT.py",
    "file_name.py",
    "folder/file.py",
    "json/decoder.py",
    "plugins/base.py",
    "dummy_source.py",
    "enrich_stage.py",
}
MADE_BY_TESTS = re.compile(r"\d{4}_\w+\.py")

Check = Callable[[str, str], Iterator[str]]


def heading_anchors(text: str) -> set[str]:
    """Return the anchors of a document: its headings as GitHub writes them, and those that are set by hand."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", re.sub(r"`", "", head)).strip().lower().replace(" ", "-") for head in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def exists(path: str, inside: str) -> bool:
    """Return whether a path exists, seen from the root, from the file that names it, or from where it is short for."""
    path = path.removeprefix(INSTALLED).rstrip("/")
    folders = (*SHORT_FOR, f"{PurePosixPath(inside).parent}/")
    return any((ROOT / folder / path).exists() for folder in folders)


def invariants(name: str, text: str) -> Iterator[str]:
    """Yield the invariants that ARCHITECTURE.md does not define."""
    defined = set(re.findall(r'<a id="(I\d+)">', text_of("ARCHITECTURE.md")))
    yield from set(INVARIANT.findall(text)) - defined


def documents(name: str, text: str) -> Iterator[str]:
    """Yield documents, and places in them, that are not there."""
    links = LINK.findall(text) if name.endswith(".md") else []
    for reference in {*DOCUMENT.findall(text), *links}:
        path, _, anchor = reference.partition("#")
        if path and not exists(path, name):
            yield reference
        elif anchor:
            end = path.removeprefix(INSTALLED).lstrip("./")
            document = name if not path else next(each for each in files() if each.endswith(end))
            if anchor not in heading_anchors(text_of(document)):
                yield reference


def paths(name: str, text: str) -> Iterator[str]:
    """Yield files and folders that are not there. A bare file name may be anywhere; a path's beginning says where."""
    for path in set(FILE.findall(text)) - NOT_OURS:
        if (
            not MADE_BY_TESTS.fullmatch(path)
            and not exists(path, name)
            and ("/" in path or not any(each.endswith(f"/{path}") for each in files()))
        ):
            yield path
    for path in set(PATH.findall(text)):
        if path.partition("/")[0] in TOPS and not exists(path, name):
            yield path


def modules(name: str, text: str) -> Iterator[str]:
    """Yield dotted names that are neither a module nor something in one."""
    for quoted, run in DOTTED.findall(text):
        dotted = quoted or run.rstrip(".")
        if dotted in ON_THE_BUS or (run and dotted.partition(".")[0] not in TOPS):
            continue
        parts = dotted.split(".")
        if not any(is_there(parts[:end], parts[end:]) for end in range(len(parts), 0, -1)):
            yield dotted


def is_there(module: list[str], inside: list[str]) -> bool:
    """Return whether a module exists and defines a name."""
    path = "/".join(module)
    for file in (f"{path}.py", f"{path}/__init__.py"):
        if file in files():
            return not inside or bool(re.search(rf"^(?:(?:class|def) )?{inside[0]}\b", text_of(file), re.MULTILINE))
    return False


def targets(name: str, text: str) -> Iterator[str]:
    """Yield make targets that the Makefile does not have."""
    known = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named = {next(filter(None, groups)) for groups in TARGET.findall(text)}
    yield from (f"make {target}" for target in named - known)


@cache
def subcommands(command: str) -> set[str] | None:
    """Return a group's commands as its module declares them (importing all takes seconds); None: not a group."""
    module = ENTRIES[command].target.partition(":")[0].replace(".", "/")
    text = text_of(f"{module}.py" if f"{module}.py" in files() else f"{module}/__init__.py")
    if not re.search(r"^@click\.group\b", text, re.MULTILINE):
        return None
    added = {function.strip("_") for function in ADDED.findall(text)}
    return {name or function.strip("_") for name, function in DECLARED.findall(text)} | added


def commands(name: str, text: str) -> Iterator[str]:
    """Yield commands of ``overheard`` that there are not."""
    for quoted, typed in COMMAND.findall(text):
        first, second = [word.rstrip(".,:;") for word in [*(quoted or typed).split(), ""][:2]]
        first = ALIASES.get(first, first)
        if first not in ENTRIES:
            yield f"overheard {first}"
        elif SUBCOMMAND.fullmatch(second) and second not in (subcommands(first) or {second}):
            yield f"overheard {first} {second}"


@cache
def known_tests() -> set[str]:
    """Return the names of all test functions."""
    return {test for name in files() for test in re.findall(r"^def (test_\w+)", text_of(name), re.MULTILINE)}


def named_tests(name: str, text: str) -> Iterator[str]:
    """Yield tests that documents name and that there are not: each promise has the test that would see it broken."""
    if name.endswith(".md"):
        yield from set(TEST.findall(text)) - known_tests()


@cache
def product_text() -> str:
    """Return everything that can print a message."""
    return "\n".join(text_of(name) for name in files() if name.startswith((*PRODUCT, "deploy")))


def symptoms(name: str, text: str) -> Iterator[str]:
    """Yield messages in tables of symptoms that nothing prints."""
    for table in SYMPTOM_TABLE.findall(text) if name.endswith(".md") else ():
        for message in MESSAGE.findall(table):
            parts = [part.strip() for part in FILLED_IN.split(message) if len(part.split()) >= 3]
            if any(part not in product_text() for part in parts):
                yield message


CHECKS: tuple[Check, ...] = (invariants, documents, paths, modules, targets, commands, named_tests, symptoms)


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_referred_to_is_there(check: Check) -> None:
    read = (name for name in files() if name not in NOT_READ and not name.endswith(".patch"))
    dead = [f"{name}: {reference}" for name in read for reference in sorted(set(check(name, text_of(name))))]
    assert dead == []


@pytest.mark.parametrize(
    ("check", "text", "dead"),
    [
        (invariants, "(I10, I11)", 1),
        (documents, "docs/gone.md, docs/runbook.md#gone, [x](#gone) and [y](docs/logs.md)", 3),
        (paths, "`bus/gone.py`, `bus/rabbit.py`, gone.py, rabbit.py, `overheard/gone/`", 3),
        (modules, "`overheard.bus.gone`, `overheard.errors.Gone`, `overheard.errors`, python -m tests.gone", 3),
        (targets, "`make gone` and `make lint`\nmake soon\nmake it so\nRun: make never", 3),
        (commands, "`overheard gone`, `overheard dead-letters gone`, `overheard dead list`\noverheard query fly", 3),
        (named_tests, "`test_gone_too_soon`, `test_what_is_referred_to_is_there`", 1),
        (
            symptoms,
            "| symptom |\n|---|\n| `2 migration(s) behind 3` |\n| `the disk of N is gone` |\n\n| `no such row` |",
            1,
        ),
    ],
)
def test_what_is_not_there_is_seen(check: Check, text: str, dead: int) -> None:
    assert len(set(check("README.md", text))) == dead
