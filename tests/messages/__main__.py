"""Write docs/messages.md and its pictures. Needs Chromium, pngquant and the fonts Inter and Noto Color Emoji."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.messages.browser import open_browser
from tests.messages.document import document
from tests.messages.pictures import pictures
from tests.messages.sample import mention_notice
from tests.messages.stand_ins import open_stand_ins

DOCS = Path(__file__).parents[2] / "docs"


def main() -> int:
    """Return the exit code."""
    folder = DOCS / "messages"
    folder.mkdir(exist_ok=True)
    try:
        with open_stand_ins() as stand_ins, open_browser() as browser:
            made = list(pictures(stand_ins, browser))
            mail = stand_ins.mailed(mention_notice())
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    for old in folder.glob("*.png"):
        old.unlink()
    for picture in made:
        (folder / f"{picture.name}.png").write_bytes(picture.png)
        print(f"docs/messages/{picture.name}.png  {len(picture.png):,} bytes")
    (DOCS / "messages.md").write_text(document(made, mail), encoding="utf-8")
    print("docs/messages.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
