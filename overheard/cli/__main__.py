"""``overheard`` and ``python -m overheard.cli``."""

from __future__ import annotations

from overheard.cli import cli, streams


def main() -> None:
    """Run the command line."""
    streams.prepare()
    streams.run_guarded(lambda: cli(prog_name="overheard"))


if __name__ == "__main__":
    main()
