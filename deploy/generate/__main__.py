"""``python -m deploy.generate``: write the generated files; ``--check``: list those that would change, and exit 1."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deploy.generate.files import generated

ROOT = Path(__file__).parents[2]


@click.command(help="Write docs/metrics.md, the dashboards, and what is derived from the table of stages.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file is out of date.")
def main(check: bool) -> None:
    changed = []
    for name, text in generated().items():
        path = ROOT / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        changed.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in changed:
        click.echo(f"{name} is out of date: make generate" if check else f"wrote {name}")
    sys.exit(1 if check and changed else 0)


if __name__ == "__main__":
    main()
