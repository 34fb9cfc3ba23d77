"""``make lint``: every step runs, and the end names those that failed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT

TOOLS = ("ruff", "mypy", "lint-imports", "python")


@pytest.mark.parametrize("failing", [(), ("ruff",), ("mypy", "python")])
def test_lint_runs_all_steps_and_names_those_that_failed(tmp_path: Path, failing: tuple[str, ...]) -> None:
    """The tools are replaced by scripts that only record that they ran: nothing is installed or checked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        script = programs / tool
        script.write_text(f'#!/bin/sh\necho {tool} >> "{tmp_path}/ran"\nexit {int(tool in failing)}\n')
        script.chmod(0o755)
    for stamp in (".runtime", ".dev"):
        (tmp_path / stamp).touch()
    command = ["make", "--no-print-directory", "lint", f"VENV={tmp_path}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (tmp_path / "ran").read_text().split() == ["ruff", *TOOLS]
    assert result.returncode == (2 if failing else 0), result.stderr
    _, _, named = result.stderr.partition("failed:\n")
    assert {tool for tool in TOOLS if f"{programs}/{tool} " in named or f"{programs}/{tool}\n" in named} == set(failing)
