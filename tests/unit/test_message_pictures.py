from __future__ import annotations

import re

import pytest

from tests.messages.document import document
from tests.messages.mockups import MOCKUPS
from tests.messages.pictures import PICTURE_MAX_BYTES
from tests.messages.sample import digest_notice, linked_notice, mention_notice, report_notice, summary_notice
from tests.messages.stand_ins import URLS, open_stand_ins
from tests.project import ROOT, text_of

NOTICES = (mention_notice(), linked_notice(), summary_notice(), digest_notice(), report_notice())


def test_the_page_shows_all_pictures_and_each_is_small() -> None:
    named = re.findall(r"!\[[^]]+\]\(messages/([a-z0-9-]+\.png)\)", text_of("docs/messages.md"))
    files = {path.name: path.stat().st_size for path in (ROOT / "docs/messages").iterdir()}
    assert set(named) == set(files)
    assert {name: size for name, size in files.items() if size > PICTURE_MAX_BYTES} == {}
    for medium in ("email", *URLS):
        assert any(name.startswith(f"{medium}-") for name in named), f"run: make messages ({medium} has no picture)"


@pytest.mark.parametrize("medium", URLS)
def test_every_message_of_the_pictures_is_accepted_and_can_be_drawn(medium: str) -> None:
    with open_stand_ins() as stand_ins:
        for notice in NOTICES:
            assert re.search("Acme DB|RivalDB", MOCKUPS[medium]([stand_ins.sent(medium, notice)]))


def test_the_text_in_the_page_is_what_is_sent_today() -> None:
    with open_stand_ins() as stand_ins:
        mail = stand_ins.mailed(mention_notice())
    assert mail.part("plain").strip() in document([], mail)
    assert mail.part("plain").strip() in text_of("docs/messages.md"), "run: make messages"
