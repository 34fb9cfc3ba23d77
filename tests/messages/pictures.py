"""The pictures: each is a page in Chromium, reduced to a few colours so that it stays small in the repository."""

from __future__ import annotations

import base64
import html
import shutil
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from tests.messages.browser import Browser
from tests.messages.mockups import MOCKUPS, page
from tests.messages.sample import digest_notice, linked_notice, mention_notice, report_notice, summary_notice
from tests.messages.stand_ins import URLS, StandIns

PICTURE_MAX_BYTES = 60_000
PHONE, DESKTOP, CHAT = 390, 800, 640  # pixels
PHONE_HEIGHT, DESKTOP_HEIGHT, CHAT_HEIGHT = 900, 1100, 1000
NAMES = {"ntfy": "ntfy"}
COLOURS = (256, 128, 64, 32, 16)  # tried in this order


class Picture(NamedTuple):
    """``words``: what it shows, for readers who do not see it."""

    name: str
    words: str
    png: bytes


def pictures(stand_ins: StandIns, browser: Browser) -> Iterator[Picture]:
    """Yield all pictures, of what the stand-ins got."""
    for name, notice in (("mention", linked_notice()), ("digest", digest_notice())):
        mail = stand_ins.mailed(notice).part("html")
        pair = [browser.picture(mail, width=PHONE, dark=dark, height=PHONE_HEIGHT) for dark in (False, True)]
        yield _picture(f"email-{name}-390", f"A {name} on a phone, light and dark", _side_by_side(browser, pair))
    mail = stand_ins.mailed(summary_notice()).part("html")
    png = browser.picture(mail, width=DESKTOP, height=DESKTOP_HEIGHT)
    yield _picture("email-summary-800", "A summary as e-mail, 800 pixels wide", png)
    mail = stand_ins.mailed(digest_notice()).part("html")
    for dark in (False, True):
        shade = "dark" if dark else "light"
        png = browser.picture(mail, width=DESKTOP, dark=dark, height=DESKTOP_HEIGHT)
        yield _picture(f"email-digest-800-{shade}", f"A digest as e-mail, 800 pixels wide, {shade}", png)
    for medium in URLS:
        yield from _chat(medium, stand_ins, browser)


def _chat(medium: str, stand_ins: StandIns, browser: Browser) -> Iterator[Picture]:
    singles = [stand_ins.sent(medium, notice) for notice in (linked_notice(), mention_notice(), report_notice())]
    shown = [("mentions", singles, "two mentions and a report")]
    if medium == "slack":  # those of the others look the same
        shown.append(("summary", [stand_ins.sent(medium, summary_notice())], "a summary"))
    shown.append(("digest", [stand_ins.sent(medium, digest_notice())], "a digest"))
    for name, contents, words in shown:
        png = browser.picture(MOCKUPS[medium](contents), width=CHAT, height=CHAT_HEIGHT)
        yield _picture(f"{medium}-{name}", f"{NAMES.get(medium, medium.capitalize())}: {words}", png)


def _side_by_side(browser: Browser, pngs: list[bytes]) -> bytes:
    cells = "".join(
        f'<img style="display:block" alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        for png in pngs
    )
    style = "body { background: #8a929c; display: flex; gap: 20px; align-items: flex-start; }"
    return browser.picture(page(style, cells), width=len(pngs) * (PHONE + 20) - 20)


def _picture(name: str, words: str, png: bytes) -> Picture:
    return Picture(name, html.escape(words), _reduced(name, png))


def _reduced(name: str, png: bytes) -> bytes:
    program = shutil.which("pngquant")
    if program is None:
        raise FileNotFoundError("no pngquant here: apt-get install pngquant")
    for colours in COLOURS:
        command = [program, "--strip", "--speed", "1", "--nofs", str(colours), "-"]
        reduced = subprocess.run(command, input=png, capture_output=True, check=True).stdout
        if len(reduced) <= PICTURE_MAX_BYTES:
            return reduced
    raise ValueError(f"{name} is too large even with {COLOURS[-1]} colours: {len(reduced):,} bytes")
