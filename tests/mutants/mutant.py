"""One curated defect: a patch in ``patches/`` with a header that says what it breaks and how that must be noticed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PATCHES = Path(__file__).parent / "patches"
FIELDS = ("Defect", "Test", "Fails with")


class InvalidMutant(Exception):
    """A patch whose header cannot be read."""


@dataclass(frozen=True)
class Mutant:
    """``test`` is a pytest node ID, run on SQLite; ``message`` a pattern that what it raises has to match."""

    name: str
    patch: Path
    defect: str
    test: str
    message: re.Pattern[str]

    @property
    def needs_servers(self) -> bool:
        """Return True if the test is one of ``tests/integration``, or is named with PostgreSQL as its parameter."""
        return self.test.startswith("tests/integration/") or self.test.endswith("[postgresql]")


def read(patch: Path) -> Mutant:
    """Read the header: ``Field: text`` lines before the diff, continued by indented lines. Raises InvalidMutant."""
    header, _, diff = patch.read_text().partition("\ndiff --git ")
    fields: dict[str, str] = {}
    field = ""
    for line in header.splitlines():
        start = re.match(r"([A-Z][\w ]+): (.*)", line)
        if start:
            field = start[1]
            fields[field] = start[2].strip()
        elif line.startswith(" ") and field:
            fields[field] += " " + line.strip()
        elif line.strip():
            raise InvalidMutant(f"{patch.name}: cannot read the header line {line!r}")
    if tuple(fields) != FIELDS or not diff:
        raise InvalidMutant(f"{patch.name}: needs the lines {', '.join(FIELDS)} in this order, and then a diff")
    return Mutant(patch.stem, patch, fields["Defect"], fields["Test"], re.compile(fields["Fails with"], re.DOTALL))


def read_all() -> list[Mutant]:
    """Return every mutant, by name."""
    return [read(patch) for patch in sorted(PATCHES.glob("*.patch"))]
