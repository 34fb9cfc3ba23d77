"""``overheard`` and ``python -m overheard.cli``."""

from __future__ import annotations

from overheard.cli import cli


def main() -> None:
    """The entry point."""
    cli(prog_name="overheard")


if __name__ == "__main__":
    main()
