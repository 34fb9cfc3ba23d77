"""Real text for tests and benchmarks: the sample that is shipped, or what OVERHEARD_CORPUS names.

OVERHEARD_CORPUS is a folder with posts.jsonl.gz (title, selftext) and comments.jsonl.gz (body), an object a line.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

Fields = dict[str, str]  # of an item, as it is matched

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "overheard" / "simulators" / "reddit" / "sample.jsonl"


def folder() -> Path | None:
    """The corpus that is named in the environment; None: the sample."""
    named = os.environ.get("OVERHEARD_CORPUS")
    return Path(named) if named else None


def source() -> str:
    """Which text it is, for a table or a test's name."""
    return str(folder() or SAMPLE.relative_to(ROOT))


def posts() -> list[Fields]:
    """All posts. Raises FileNotFoundError when OVERHEARD_CORPUS names a folder without them."""
    if (corpus := folder()) is not None:
        return [{"title": row["title"], "body": row["selftext"]} for row in _rows(corpus / "posts.jsonl.gz")]
    rows = map(json.loads, SAMPLE.read_text("utf-8").splitlines())
    return [{"title": row["title"], "body": row["text"]} for row in rows if row.get("title")]


def comments() -> list[Fields]:
    """All comments. Raises FileNotFoundError likewise."""
    if (corpus := folder()) is not None:
        return [{"body": row["body"]} for row in _rows(corpus / "comments.jsonl.gz")]
    rows = map(json.loads, SAMPLE.read_text("utf-8").splitlines())
    return [{"body": row["text"]} for row in rows if not row.get("title")]


def _rows(path: Path) -> Iterator[Fields]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
