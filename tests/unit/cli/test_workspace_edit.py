"""``overheard workspace edit`` with real editors: scripts, and a person at a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from overheard.db import models, workspace_specs, workspaces
from overheard.process import RunningProcess
from tests.project import ROOT

from .conftest import Run

FILE = """
[[workspace]]
slug = "acme"
subreddits = ["python"]
  [[workspace.query]]
  name = "brand"
  text = "acme"
  [[workspace.query]]
  name = "help"
  text = "acme help"
  [[workspace.channel]]
  name = "team"
  url = "https://example.com/t0ken"
"""

Edit = Callable[..., Result]


@pytest.fixture
def edit(run: Run, migrated: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """The workspace acme is there; return a function that edits it with sed-like Python: ``edit("text = …")``."""
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    (folder / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("VISUAL", raising=False)
    assert run("import", "-", input=FILE).exit_code == 0

    def edited(change: str, *options: str, input: str | None = None, **environ: str) -> Result:
        editor = folder / "editor script"
        editor.write_text(
            f"import sys; path = sys.argv[1]; text = open(path).read()\n{change}\nopen(path, 'w').write(text)"
        )
        return run("workspace", "edit", "acme", *options, input=input, EDITOR=f"{sys.executable} '{editor}'", **environ)

    return edited


def left(folder: Path) -> list[Path]:
    return [path for path in (folder / "tmp").rglob("*") if path.is_file()]


def test_what_is_edited_is_shown_and_saved(edit: Edit, run: Run, folder: Path) -> None:
    result = edit("""text = text.replace('"acme help"', '"acme (help OR crash)"').replace('"5m"', '"10m"')""")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "~ acme: every: 5m → 10m",
        "~ acme: query help: acme help → acme (help OR crash)",
        "✓ updated acme  1 subreddit, 2 queries, 1 channel",
    ]
    assert 'text = "acme (help OR crash)"' in run("export", "acme").stdout
    assert list((folder / "tmp").iterdir()) == []


def test_nothing_is_saved_if_nothing_changes(edit: Edit, folder: Path, running: RunningProcess) -> None:
    models.Channel.update(disabled_at=1.0).execute(running.db.peewee)
    for change in ("", "text += '# a comment'", "text = text.replace('\"python\"', '\"r/Python\"')"):
        assert edit(change).stdout == "= acme is unchanged.\n"
    assert models.Channel.select(models.Channel.disabled_at).scalar(running.db.peewee) == 1.0
    assert list((folder / "tmp").iterdir()) == []


def test_the_text_has_the_secrets_and_only_its_owner_can_read_it(edit: Edit, folder: Path) -> None:
    result = edit(
        "import os, stat\n"
        "modes = [oct(stat.S_IMODE(os.stat(each).st_mode)) for each in (path, os.path.dirname(path))]\n"
        "open('seen', 'w').write(f'{modes} {text}')"
    )
    assert result.exit_code == 0
    seen = (folder / "seen").read_text()
    assert seen.startswith("['0o600', '0o700'] # Workspace acme")
    assert "https://example.com/t0ken" in seen
    assert 'secret = "whsec_' in seen


def test_removed_parts_are_listed_and_confirmed(edit: Edit, run: Run, folder: Path) -> None:
    remove = """
start = text.index("  [[workspace.query]]\\n  name = \\"help\\"")
text = text[:start] + text[text.index("  [[workspace.channel]]"):]
"""
    result = edit(remove, input="n\n")
    assert result.exit_code == 1
    assert result.stdout == "- acme: query help: acme help (its mentions are kept)\n"
    assert "Save this, and remove what is marked with -? [y/N]" in result.stderr
    [kept] = left(folder)
    assert f"Nothing is saved. Your text is kept in {kept}" in result.stderr
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "acme help" in run("export", "acme").stdout
    assert edit(remove, input="y\n").exit_code == 0
    assert "acme help" not in run("export", "acme").stdout
    assert run("import", "-", input=FILE).exit_code == 0
    assert edit(remove, "--yes").exit_code == 0
    assert left(folder) == [kept]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "text = text.replace('text = \"acme\"', 'text = \"NOT a\"')",
            "workspace acme: query 'brand':",
        ),
        ("text = text.replace('slug = \"acme\"', 'slug = \"bolt\"')", "expected the workspace acme alone, not bolt"),
        ("text = ''", "acme.toml: has no workspace"),
        ("text = '\\x00'", "acme.toml: not valid TOML"),
        ("text = text + text.replace('acme', 'bolt')", "expected the workspace acme alone, not acme, bolt"),
    ],
)
def test_a_text_with_mistakes_is_not_saved_and_not_lost(
    edit: Edit, run: Run, folder: Path, change: str, message: str
) -> None:
    before = run("export", "--secrets", "acme").stdout
    result = edit(change)
    assert result.exit_code == 2
    assert message in result.stderr
    [kept] = left(folder)
    assert str(kept) in result.stderr
    assert run("export", "--secrets", "acme").stdout == before


def test_an_editor_that_fails_changes_nothing(edit: Edit, run: Run, folder: Path) -> None:
    result = edit("text = text.replace('5m', '10m'); open(path, 'w').write(text); sys.exit(3)")
    assert result.exit_code == 1
    assert "ended with exit code 3" in result.stderr
    assert len(left(folder)) == 1
    result = run("workspace", "edit", "acme", EDITOR="/nonexistent/editor")
    assert result.exit_code == 1
    assert "the editor '/nonexistent/editor' cannot be started" in result.stderr
    assert run("workspace", "edit", "acme", EDITOR="'").exit_code == 1
    result = edit("import os; os.remove(path); sys.exit(0)")
    assert result.exit_code == 1
    assert "No such file" in result.stderr
    assert len(left(folder)) == 1
    assert "5m" in run("export", "acme").stdout


def test_visual_comes_before_editor_and_may_have_options(edit: Edit, folder: Path) -> None:
    visual = folder / "my editor"
    visual.write_text('#!/bin/sh\necho "# $1" >> "$2"\n')
    visual.chmod(0o755)
    result = edit("raise SystemExit('not this one')", VISUAL=f"'{visual}' --wait")
    assert result.stdout == "= acme is unchanged.\n"


def test_a_change_by_somebody_else_in_the_meantime_is_not_overwritten(edit: Edit, run: Run, folder: Path) -> None:
    result = edit(
        "import subprocess\n"
        "command = 'overheard.cli query edit acme help'.split()\n"
        "subprocess.run([sys.executable, '-m', *command, 'acme oops'], check=True)\n"
        "text = text.replace('5m', '10m')",
        PYTHONPATH=str(ROOT),
    )
    assert result.exit_code == 1
    assert "acme was changed by somebody else in the meantime:" in result.stderr
    assert "~ query help: acme help → acme oops" in result.stderr
    assert len(left(folder)) == 1
    exported = run("export", "acme").stdout
    assert "acme oops" in exported
    assert "5m" in exported


def test_an_unknown_workspace_is_an_error(edit: Edit, run: Run) -> None:
    result = run("workspace", "edit", "bolt", EDITOR="true")
    assert result.exit_code == 1
    assert "no workspace 'bolt'" in result.stderr


def test_all_keys_come_back_as_they_were(edit: Edit, run: Run, running: RunningProcess) -> None:
    rules = (
        "text = text.replace('digest = ', 'quiet = \"22:00-07:00\"\\nworking = \"mon-fri 08:00-18:00\"\\ndigest = ')\n"
        'text += \'\'\'  mode = "both"\n  min_gap = "10s"\n  max_per_hour = 0\n  queries = ["brand"]\n'
        '  [[workspace.mute]]\n  author = "u/Bot"\n  until = "2030-01-01"\n\'\'\'\n'
    ).replace(
        "text += '''  mode = \"both\"",
        'text = text.replace(\'  mode = "instant"\\n\', "")\ntext += \'\'\'  mode = "both"',
    )
    result = edit(rules)
    assert (result.exit_code, result.stderr) == (0, "")
    assert set(result.stdout.splitlines()[:-1]) == {
        "+ acme: quiet: 22:00-07:00",
        "+ acme: working: mon-fri 08:00-18:00",
        "~ acme: channel team: mode: instant → both",
        "~ acme: channel team: queries: all → brand",
        "~ acme: channel team: min_gap: 0s → 10s",
        "~ acme: channel team: max_per_hour: 60 → 0",
        "+ acme: mute of author bot: until 2030-01-01T00:00:00Z",
    }
    spec = workspace_specs.load(running.db, workspaces.by_name(running.db, "acme").id, secrets=True)
    assert edit("text += '#'").stdout == "= acme is unchanged.\n"
    assert workspace_specs.load(running.db, workspaces.by_name(running.db, "acme").id, secrets=True) == spec
    shown = run("workspace", "show", "acme").stdout
    for pattern in (
        r"Quiet hours +22:00-07:00",
        r"Working hours +mon-fri 08:00-18:00",
        r"Channel team +https://example.com/\*\*\* +both, queries brand, min_gap 10s, max_per_hour 0",
        r"Muted +author bot until 2030-01-01T00:00:00Z",
    ):
        assert re.search(pattern, shown), shown


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *command: str, env: dict[str, str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=cwd, start_new_session=True
        )
        os.close(slave)
        self.seen = ""

    def expect(self, text: str) -> None:
        """Read until the text appears."""
        deadline = time.monotonic() + 60
        while text not in self.seen:
            ready, _, _ = select.select([self._master], [], [], max(deadline - time.monotonic(), 0))
            assert ready, self.seen
            try:
                self.seen += os.read(self._master, 4096).decode("utf-8", "replace")
            except OSError:  # as Linux reports the end of the other side
                raise AssertionError(self.seen) from None
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait(self) -> int:
        code = self.process.wait(timeout=60)
        os.close(self._master)
        return code


def test_at_a_terminal_mistakes_are_corrected_in_the_same_text(edit: Edit, run: Run, folder: Path) -> None:
    editor = folder / "interactive"
    editor.write_text('#!/bin/sh\nprintf "editor> "\nread command\nsed -i "$command" "$1"\n')
    editor.chmod(0o755)
    env = os.environ | {"PYTHONPATH": str(ROOT), "VISUAL": str(editor), "TERM": "dumb"}
    terminal = Terminal(sys.executable, "-m", "overheard.cli", "workspace", "edit", "acme", env=env, cwd=folder)
    terminal.expect("editor> ")
    terminal.type('s/"5m"/"often"/\n')
    terminal.expect("workspace acme: every: ")
    terminal.expect("Edit it again? [Y/n]: ")
    terminal.type("\n")
    terminal.expect("editor> ")
    terminal.type('s/"often"/"10m"/\n')
    terminal.expect("~ acme: every: 5m → 10m")
    terminal.expect("updated acme")
    assert terminal.wait() == 0
    assert "10m" in run("export", "acme").stdout
    assert left(folder) == []

    terminal = Terminal(sys.executable, "-m", "overheard.cli", "workspace", "edit", "acme", env=env, cwd=folder)
    terminal.expect("editor> ")
    terminal.type("s/brand/x/\n")
    terminal.expect("+ acme: query x: acme")
    terminal.expect("- acme: query brand: acme (its mentions are kept)")
    terminal.expect("Save this, and remove what is marked with -? [y/N]: ")
    terminal.type("\n")
    terminal.expect("Your text is kept in ")
    assert terminal.wait() == 1
    assert "brand" in run("export", "acme").stdout
    assert len(left(folder)) == 1


def test_ctrl_c_is_for_the_editor(edit: Edit, run: Run, folder: Path) -> None:
    editor = folder / "stubborn"
    editor.write_text(
        '#!/bin/sh\ntrap "echo interrupted" INT\nprintf "editor> "\n'
        'while [ -z "$command" ]; do read command; done\nsed -i "$command" "$1"\n'
    )
    editor.chmod(0o755)
    env = os.environ | {"PYTHONPATH": str(ROOT), "VISUAL": str(editor), "TERM": "dumb"}
    wrapper = (
        "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "from overheard.cli import cli; cli(['workspace', 'edit', 'acme'])"
    )
    terminal = Terminal(sys.executable, "-c", wrapper, env=env, cwd=folder)
    terminal.expect("editor> ")
    terminal.type("\x03")
    terminal.expect("interrupted")
    terminal.type('s/"5m"/"10m"/\n')
    terminal.expect("updated acme")
    assert terminal.wait() == 0
