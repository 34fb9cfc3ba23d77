"""The demo's last lines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from overheard.cli.demo.next_steps import next_steps, program


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in a folder with a blank in its name, which is not on the PATH."""
    path = tmp_path / "my env" / "overheard"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    return path


def test_the_program_is_named_so_that_a_shell_finds_it(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), "demo"])
    assert program() == "'my env/overheard'"
    monkeypatch.chdir(script.parent)
    assert program() == "./overheard"
    monkeypatch.chdir("/usr")
    assert program() == f"'{script}'"
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "overheard"
    monkeypatch.setattr(sys, "argv", ["/x/overheard/cli/__main__.py", "demo"])
    assert program().endswith(" -m overheard.cli")
    assert [command.partition(program())[0] for _, command in next_steps()] == [""] * 3
