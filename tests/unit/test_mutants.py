"""The curated defects of ``tests/mutants`` can be read, and name tests that exist."""

from __future__ import annotations

import subprocess

from tests.mutants.__main__ import ROOT
from tests.mutants.mutant import read_all


def test_each_names_a_test_that_exists() -> None:
    for mutant in read_all():
        path, _, test = mutant.test.partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / path).read_text(), mutant.name


def test_each_still_fits_the_code() -> None:
    for mutant in read_all():
        check = ["git", "apply", "--check", "-C0", str(mutant.patch)]
        done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{mutant.name}: make it again: {done.stderr}"
