"""Draw the newest messages of each receiver, and its digest, as people see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.messages.browser import Browser, open_browser
from tests.messages.day.receivers import Received
from tests.messages.mockups import MOCKUPS

DRAWN_MESSAGES = 6
CHAT_WIDTH, PHONE_WIDTH, DESKTOP_WIDTH = 640, 390, 800  # pixels
MAX_HEIGHT = 2400


def draw(receivers: dict[str, list[Received]], folder: Path) -> None:
    """Write pictures beside the texts. Raises FileNotFoundError without Chromium."""
    with open_browser() as browser:
        for name, messages in receivers.items():
            for what, png in _pictures(messages, browser):
                (folder / f"{name}-{what}.png").write_bytes(png)


def _pictures(messages: list[Received], browser: Browser) -> Iterator[tuple[str, bytes]]:
    medium = messages[0].medium
    if medium == "mail":
        for what, mail in (("first", messages[0]), ("last", messages[-1])):
            html = mail.content.part("html")
            for width in (PHONE_WIDTH, DESKTOP_WIDTH):
                for dark in (False, True):
                    shade = "dark" if dark else "light"
                    png = browser.picture(html, width=width, dark=dark, height=MAX_HEIGHT)
                    yield f"{what}-{width}-{shade}", png
    elif medium in MOCKUPS:
        contents = [each.content for each in messages]
        for what, shown in (("first", contents[:DRAWN_MESSAGES]), ("last", contents[-DRAWN_MESSAGES:])):
            yield what, browser.picture(MOCKUPS[medium](shown), width=CHAT_WIDTH, height=MAX_HEIGHT)
