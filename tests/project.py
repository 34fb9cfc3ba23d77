"""The project's own files, for the checks that read them: code, documents, scripts, configuration."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("overheard", "actors", "producers")
FOLDERS = (*PRODUCT, "deploy", "docs", "tests")
TOP_LEVEL = ("*.md", "Makefile", "*.toml", ".importlinter")
# Written by a program, a sample of other people's words, or a frozen record of what was.
NOT_WRITTEN_HERE = (
    "deploy/grafana/dashboards/",
    "deploy/requirements.lock",
    "deploy/development.lock",
    "overheard/simulators/reddit/sample.jsonl",
    "overheard/db/migrations/0",
    "docs/demo.svg",
)


@cache
def text_of(name: str) -> str:
    """Return a file's text by its path from the root; a file that is not text has none."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def files() -> tuple[str, ...]:
    """Return the paths of everything that is written here, relative to the root."""
    top = [path for pattern in TOP_LEVEL for path in ROOT.glob(pattern)]
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    names = (path.relative_to(ROOT).as_posix() for path in (*top, *below) if path.is_file())
    return tuple(sorted(name for name in names if "__pycache__" not in name and not name.startswith(NOT_WRITTEN_HERE)))


def modules(folders: tuple[str, ...] = FOLDERS) -> Iterator[str]:
    """Yield the paths of the Python modules below these folders."""
    yield from (name for name in files() if name.endswith(".py") and name.startswith(tuple(f"{f}/" for f in folders)))
