"""deploy/requirements.lock is what pyproject.toml asks for, and pip can check all of it; the tests run on the same
versions, from deploy/development.lock. `make lock` writes both."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "deploy/requirements.lock"
DEVELOPMENT = ROOT / "deploy/development.lock"
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PINNED = re.compile(r"([a-z0-9-]+)==([^\s;]+)(?: ; .+)?")


def logical_lines(lock: Path = LOCK) -> list[str]:
    """Return the lines as pip reads them: without comments, continued lines joined."""
    joined = lock.read_text().replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pinned(lock: Path = LOCK) -> dict[str, str]:
    found = {}
    for line in logical_lines(lock):
        match = PINNED.match(line)
        assert match, line
        found[match[1]] = match[2]
    return found


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def wanted() -> list[Requirement]:
    return [
        Requirement(each) for each in (*project()["project"]["dependencies"], *project()["build-system"]["requires"])
    ]


@pytest.mark.parametrize("requirement", wanted(), ids=lambda each: each.name)
def test_every_dependency_of_the_project_is_locked(requirement: Requirement) -> None:
    versions = pinned()
    name = canonicalize_name(requirement.name)
    assert name in versions, f"{name} is not in the lock file; run: make lock"
    assert requirement.specifier.contains(versions[name]), f"{name} is too old in the lock file; run: make lock"


def test_every_line_is_one_pinned_version_with_hashes_and_nothing_else() -> None:
    for line in logical_lines():
        requirement, *hashes = re.split(r"\s+(?=--)", line)
        assert PINNED.fullmatch(requirement), line
        assert hashes, line
        assert all(HASH.fullmatch(each) for each in hashes), line


def test_it_names_no_index_and_no_folder() -> None:
    # The machine's pip.conf says where the files come from; the hashes identify them.
    assert not re.search(r"https?:|file:|--index|--extra|--find|--trusted|/", " ".join(logical_lines()))


def test_libraries_of_libraries_are_locked_too() -> None:
    """Otherwise pip --require-hashes stops half-way. Dependencies are read from the libraries installed here."""
    todo = [(each.name, extra) for each in wanted() for extra in ("", *each.extras) if each.name != "setuptools"]
    seen = set()
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in distribution(name).requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                todo += [(needed.name, each) for each in ("", *needed.extras)]
    assert len(seen) > 30
    assert {canonicalize_name(name) for name, _ in seen} <= pinned().keys()


def test_what_is_tested_is_what_gets_deployed() -> None:
    tested = pinned(DEVELOPMENT)
    deployed = {name: version for name, version in pinned().items() if name != "setuptools"}
    assert {name: tested.get(name) for name in deployed} == deployed, "run: make lock"
    for each in project()["project"]["optional-dependencies"]["dev"]:
        requirement = Requirement(each)
        assert requirement.specifier.contains(tested[canonicalize_name(requirement.name)]), f"{each}; run: make lock"
