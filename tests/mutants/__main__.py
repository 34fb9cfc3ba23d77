"""Break the code on purpose and see that the tests notice.

1. Copy the tracked files into a folder of their own.
2. Run all expected tests there once: they must pass, or their failing would prove nothing.
3. For each patch: apply it, run its test, and take it back.

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.mutant import Mutant, read_all

ROOT = Path(__file__).resolve().parents[2]
TEST_SECONDS = 180


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
        tree = Path(folder)
        copy_tracked(tree)
        if not passes_unbroken(tree, sorted({mutant.test for mutant in mutants})):
            return 1
        verdicts = [verdict_of(tree, mutant) for mutant in mutants]
    killed = sum(verdicts)
    print(f"{killed} of {len(mutants)} killed")
    return 0 if killed == len(mutants) else 1


def copy_tracked(tree: Path) -> None:
    """Copy what git tracks, as it is in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)


def passes_unbroken(tree: Path, tests: Sequence[str]) -> bool:
    """Run all expected tests on the unbroken copy; print those that fail."""
    failures = dict(run(tree, tests))
    for test, message in failures.items():
        print(f"{test} fails on unbroken code:\n{message}")
    return not failures


def verdict_of(tree: Path, mutant: Mutant) -> bool:
    """Return True if the mutant's test kills it; print a line about it, and what happened instead if not."""
    began = time.monotonic()
    with applied(tree, mutant):
        failures = list(run(tree, [mutant.test]))
    hit = any(mutant.message.search(message) for _, message in failures)
    word = "killed" if hit else "CAUGHT BY ACCIDENT" if failures else "SURVIVED"
    print(f"{word:<8} {mutant.name:<36} {time.monotonic() - began:5.1f} s  {mutant.defect}", flush=True)
    if not hit:
        for test, message in failures:
            print(f"  {test}\n  expected: {mutant.message.pattern}\n  {message[-2000:]}")
    return hit


@contextmanager
def applied(tree: Path, mutant: Mutant) -> Iterator[None]:
    """Apply the patch for as long as the block lasts. A patch that no longer fits is an error: it has to be redone."""
    command = ["git", "apply", "--whitespace=nowarn", str(mutant.patch)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{mutant.patch.name} does not fit the code any more: make it again\n{done.stderr}")
    try:
        yield
    finally:
        subprocess.run([*command, "--reverse"], cwd=tree, check=True)


def run(tree: Path, tests: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Run ``tests`` in the copy and yield (test, message) for each that failed in its own code.

    An error in a fixture or at collection is yielded with an empty message: it matches nothing.
    """
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    # The copy comes first on the path, or the installed checkout would be tested. No bytecode: two patches of one
    # second and one size would look the same to Python's cache.
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, *tests], cwd=tree, env=environment, capture_output=True, text=True, timeout=TEST_SECONDS * len(tests)
    )
    if not report.exists() or done.returncode not in (0, 1):
        yield ", ".join(tests), ""
        print(done.stdout[-2000:], done.stderr[-2000:])
        return
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        for failure in case.findall("failure"):
            yield name, (failure.get("message") or "") + "\n" + (failure.text or "")
        for _ in case.findall("error"):
            yield name, ""


if __name__ == "__main__":
    sys.exit(main())
