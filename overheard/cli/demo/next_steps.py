"""What to do after the demo: commands that work when they are copied one after another."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NEXT_STEPS = (
    ("the real Hacker News, for half a minute", "listen postgres --for 30s"),
    ("the same for good, stored in this folder", "workspace add tryout --hackernews --query postgres"),
    ("everything in one process, until Ctrl-C", "run"),
)


def next_steps() -> list[tuple[str, str]]:
    """Return (what it is, command) of each step. None needs credentials or servers."""
    return [(what, f"{program()} {arguments}") for what, arguments in NEXT_STEPS]


def program() -> str:
    """Return how to call this program from a shell in the same folder: make does not put it on the PATH."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m overheard.cli"
    found = shutil.which(called.name)
    if found is not None and called.exists() and Path(found).samefile(called):
        return called.name
    path, here = called.absolute(), Path.cwd()
    if path.parent == here:
        return shlex.quote(f"./{path.name}")
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
