"""``overheard`` and ``python -m overheard.cli``."""

from __future__ import annotations

from overheard.cli import cli, streams


def main() -> None:
    """The entry point."""
    streams.prepare()
    streams.guarded(lambda: cli(prog_name="overheard"))


if __name__ == "__main__":
    main()
