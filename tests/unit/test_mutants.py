"""The curated defects of ``tests/mutants`` can be read, and name tests that exist."""

from __future__ import annotations

from tests.mutants.__main__ import ROOT
from tests.mutants.mutant import read_all


def test_each_names_a_test_that_exists() -> None:
    for mutant in read_all():
        path, _, test = mutant.test.partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / path).read_text(), mutant.name
