"""``python -m tests.allowances``: take out of allowances.toml what is no longer needed. It never adds anything.

Each entry is something to be cleared up; at the end the file is empty and goes, with this module.
"""

from __future__ import annotations

from tests.naming import repeated_classes, words_by_folder
from tests.project import ALLOWANCES, allowances

HEAD = "# What the checks of names and words accept for now. It may only shrink: python -m tests.allowances\n\n"


def shrunk() -> str:
    """Return the file with each number lowered to what is found now."""
    before = allowances()
    found = words_by_folder()
    repeated = sorted(set(before["repeated_classes"]) & repeated_classes().keys())
    lines = ["repeated_classes = [", *(f'    "{name}",' for name in repeated), "]", "", "[words]"]
    for folder, words in sorted(before["words"].items()):
        kept = {word: min(count, len(found.get(folder, {}).get(word, ()))) for word, count in words.items()}
        inside = ", ".join(f'"{word}" = {count}' for word, count in sorted(kept.items()) if count)
        if inside:
            lines.append(f'"{folder}" = {{ {inside} }}')
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    ALLOWANCES.write_text(shrunk(), encoding="utf-8")
