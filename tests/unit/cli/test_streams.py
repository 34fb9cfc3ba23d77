"""Standard streams that are closed, full or in another encoding: plain messages, and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .conftest import FOREIGN

pytestmark = pytest.mark.servers  # each test runs several processes

ROOT = Path(__file__).parents[3]
ACME = f"""
[[workspace]]
slug = "acme"
name = "{FOREIGN}"
subreddits = ["python"]
  [[workspace.query]]
  name = "{FOREIGN}"
  text = "café"
"""


# Whether the reader is gone before the last write is a matter of timing, and click exits with 1 in that case.
PIPES = {"overheard --help | true": (1,), "overheard --help | head -1": (1, 141)}


def shell(folder: Path, line: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash, in which ``overheard`` is the command."""
    command = f'overheard() {{ "{sys.executable}" -m overheard.cli "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=plain(folder) | environ, capture_output=True, timeout=60
    )


def plain(folder: Path) -> dict[str, str]:
    """Return an environment without the machine's own settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "OVERHEARD_METRICS__PORT": "0"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder with a database and a workspace."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "acme.toml").write_text(ACME)
    assert shell(folder, "overheard import acme.toml").returncode == 0
    return folder


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("overheard --help >/dev/full", 1),
        ("overheard workspace --help >/dev/full", 1),
        ("overheard workspace list >/dev/full", 1),
        ("overheard workspace list >/dev/full 2>/dev/full", 1),
        ("overheard workspace list --format csv >/dev/full", 1),
        ("overheard export >/dev/full", 1),
        ("overheard query test '(' 2>/dev/full", 1),
        ("overheard --help | true", 141),
        ("overheard export | true", 141),
        ("overheard --help | head -1", 0),
        ("overheard --help >&-", 0),
        ("overheard workspace list >&-", 0),
        ("overheard workspace list --format json >&- 2>&-", 0),
        ("overheard import - <&-", 2),
        ("overheard import - <&- >&- 2>&-", 2),
    ],
)
def test_unwritable_output_is_an_error_without_a_traceback(filled: Path, line: str, code: int) -> None:
    done = shell(filled, line)
    assert done.returncode in (code, *PIPES.get(line, ())), done
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert b"No space left on device" in done.stderr or "2>" in line or "/dev/full" not in line


def test_with_closed_streams_nothing_is_printed_into_the_database_file(filled: Path) -> None:
    done = shell(filled, "overheard status <&- >&- 2>&-; overheard check >&- 2>&-; overheard workspace list")
    assert (done.returncode, b"acme" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "environ",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "latin-1", "LC_ALL=C"],
)
def test_output_in_any_encoding_loses_nothing(filled: Path, environ: dict[str, str]) -> None:
    commands = ("workspace list", "workspace show acme", "check", "status", "query test café --text café",
                "workspace list --format csv", "workspace show 'café ✓'", "--help")  # fmt: skip
    listing, export = "workspace list --format json", "export --secrets"
    commands_run = (*commands, listing, export, "query test acme")
    found = dict(zip(commands_run, forked(filled, *commands_run, **environ), strict=True))
    for command in commands:
        code, _, errors = found[command]
        assert code in (0, 1), command
        assert b"Traceback" not in errors, errors
    listed = found[listing][1]
    assert (json.loads(listed)["name"], listed.isascii()) == (FOREIGN, True)
    exported = found[export][1]
    assert (tomllib.loads(exported.decode())["workspace"][0]["name"], exported.isascii()) == (FOREIGN, True)
    (filled / "x.toml").write_bytes(exported)
    imported, again = forked(filled, "import x.toml", "export", **environ)
    assert imported[0] == 0, imported
    assert again[1].decode("ascii") == exported.decode("ascii")
    assert b"+ " in found["query test acme"][1], "a check mark in its nearest form"


# One interpreter, and a fork of it per command: most of a command's time is its start.
FORKS = """
import os, shlex, sys
import click
from overheard.cli import cli
from overheard.cli.__main__ import main

context = click.Context(cli)
for name in cli.list_commands(context):
    cli.get_command(context, name)  # imports what the command needs, once
for number, command in enumerate(sys.argv[1:]):
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(f"{number}.{stream}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.argv = ["overheard", *shlex.split(command)]
        main()
        sys.exit()
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


def forked(folder: Path, *commands: str, **environ: str) -> list[tuple[int, bytes, bytes]]:
    """Run commands with ``environ``; return the exit code, stdout and stderr of each."""
    done = subprocess.run(
        [sys.executable, "-c", FORKS, *commands], cwd=folder, env=plain(folder) | environ, capture_output=True,
        timeout=60, check=True,
    )  # fmt: skip
    codes = map(int, done.stdout.split())
    outputs = [[(folder / f"{number}.{stream}").read_bytes() for stream in (1, 2)] for number in range(len(commands))]
    return [(code, out, errors) for code, (out, errors) in zip(codes, outputs, strict=True)]
