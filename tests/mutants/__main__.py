"""Break the code on purpose and see that the tests notice.

1. Copy the tracked files into two folders, so that two mutants are tried at once.
2. Run all expected tests there once: they must pass, or their failing would prove nothing.
3. For each patch: apply it, run its test, and take it back. Tests run on SQLite, unless a patch names one that needs
   servers.

A mutant is killed when its own test fails in the way that the patch foretells. It survives when the test passes. It is
caught by accident when the test fails otherwise: at collection, in a fixture, or with another message.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.mutants.mutant import Mutant, read_all

ROOT = Path(__file__).resolve().parents[2]
TEST_SECONDS = 180
COPIES = 2  # mutants that are tried at once


class Failure(NamedTuple):
    """A test that failed. ``message`` is what was raised, without the test's own lines."""

    test: str
    message: str
    traceback: str


def main() -> int:
    """Return 0 if every mutant was killed by its test."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
    names = parser.parse_args().names
    mutants = [mutant for mutant in read_all() if not names or mutant.name in names]
    unknown = set(names) - {mutant.name for mutant in mutants}
    if unknown or not mutants:
        parser.error(f"no such mutant: {', '.join(sorted(unknown)) or 'patches/ is empty'}")
    with tempfile.TemporaryDirectory(prefix="overheard-mutants-") as folder:
        trees = [Path(folder, str(number)) for number in range(COPIES)]
        for tree in trees:
            copy_tracked(tree)
        with ThreadPoolExecutor(COPIES) as pool:
            if not all(list(pool.map(passes_unbroken, trees, (mutants[number::COPIES] for number in range(COPIES))))):
                return 1
            killed = sum(pool.map(verdict_on(trees), longest_first(mutants)))
    print(f"{killed} of {len(mutants)} killed")
    return 0 if killed == len(mutants) else 1


def longest_first(mutants: Iterable[Mutant]) -> list[Mutant]:
    """Return those first whose tests need servers: the short ones fill up the time."""
    return sorted(mutants, key=lambda mutant: not mutant.needs_servers)


def verdict_on(trees: Iterable[Path]) -> Callable[[Mutant], bool]:
    """Return ``verdict_of`` for threads: each takes a copy that no other thread uses."""
    free: SimpleQueue[Path] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def verdict(mutant: Mutant) -> bool:
        tree = free.get()
        try:
            return verdict_of(tree, mutant)
        finally:
            free.put(tree)

    return verdict


def copy_tracked(tree: Path) -> None:
    """Copy what git tracks, as it is in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)


def passes_unbroken(tree: Path, mutants: Iterable[Mutant]) -> bool:
    """Run the expected tests on the unbroken copy; print those that fail."""
    tests: dict[bool, set[str]] = {False: set(), True: set()}
    for mutant in mutants:
        tests[mutant.needs_servers].add(mutant.test)
    failures = [each for servers, some in tests.items() if some for each in run(tree, sorted(some), servers)]
    for failure in failures:
        print(f"{failure.test} fails on unbroken code:\n{failure.traceback}")
    return not failures


def verdict_of(tree: Path, mutant: Mutant) -> bool:
    """Return True if the mutant's test kills it; print a line about it, and what happened instead if not."""
    began = time.monotonic()
    with applied(tree, mutant):
        failures = list(run(tree, [mutant.test], mutant.needs_servers))
    hit = any(mutant.message.search(failure.message) for failure in failures)
    word = "killed" if hit else "CAUGHT BY ACCIDENT" if failures else "SURVIVED"
    print(f"{word:<8} {mutant.name:<38} {time.monotonic() - began:5.1f} s  {mutant.defect}", flush=True)
    for failure in failures if not hit else ():
        print(
            f"  {failure.test}\n  expected: {mutant.message.pattern}\n  {failure.message}\n{failure.traceback[-2000:]}"
        )
    return hit


@contextmanager
def applied(tree: Path, mutant: Mutant) -> Iterator[None]:
    """Apply the patch for as long as the block lasts. A patch that no longer fits is an error: it has to be redone."""
    # -C0: where the line above or below has changed (a comment, say), the lines that are replaced say enough.
    command = ["git", "apply", "-C0", "--whitespace=nowarn", str(mutant.patch)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{mutant.patch.name} does not fit the code any more: make it again\n{done.stderr}")
    try:
        yield
    finally:
        subprocess.run([*command, "--reverse"], cwd=tree, check=True)


def run(tree: Path, tests: Sequence[str], servers: bool) -> Iterator[Failure]:
    """Run ``tests`` in the copy and yield those that failed. Without ``servers``, those on PostgreSQL are left out.

    The message of an error in a fixture or at collection is empty: it matches nothing.
    """
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    # The copy comes first on the path, or the installed checkout would be tested. No bytecode: two patches of one
    # second and one size would look the same to Python's cache.
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *tests]
    if not servers:
        command += ["-m", "not servers"]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TEST_SECONDS * len(tests)
    )
    if not report.exists() or done.returncode not in (0, 1):
        yield Failure(", ".join(tests), "", done.stdout + done.stderr)
        return
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        for failure in case.findall("failure"):
            yield Failure(name, failure.get("message") or "", failure.text or "")
        for error in case.findall("error"):
            yield Failure(name, "", error.text or "")


if __name__ == "__main__":
    sys.exit(main())
