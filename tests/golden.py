"""Golden files: what is rendered today, reviewed once. ``OVERHEARD_GOLDEN=write`` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path


def assert_golden(path: Path, text: str) -> None:
    """Compare a text with a golden file."""
    if os.environ.get("OVERHEARD_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert path.exists(), f"{path.name} is missing: run this test with OVERHEARD_GOLDEN=write, and look at the file"
    assert text == path.read_bytes().decode(), (
        f"{path.name} differs: look, then run this test with OVERHEARD_GOLDEN=write"
    )
