from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard.channels import ChannelOptions
from overheard.channels.email.message import write_mail
from overheard.channels.email.page import mail_page
from overheard.channels.email.settings import Mailbox, MailSettings, read_settings
from overheard.channels.email.wire_size import wire_size
from overheard.notices import NoticeLinks
from tests.hostile import HOSTILE, NOW, hostile_mention, mentions, single, texts
from tests.servers.mail_rules import broken_rule, parsed

OPTIONS = ChannelOptions(allow_private=False, timeout=1, user_agent="x")
BOSS = Mailbox("", "boss@example.com")
SETTINGS = read_settings("mailto://me:pw@acme.example?to=boss@example.com", OPTIONS)


def written(notice: Any, settings: MailSettings = SETTINGS, to: Mailbox = BOSS) -> Any:
    data = write_mail(notice, mail_page(notice, NOW), settings, to=to, now=NOW)
    assert broken_rule(data, eight_bit=False) is None
    return parsed(data)


def test_a_providers_server_is_known() -> None:
    assert msgspec.structs.astuple(read_settings("mailto://me:pw@gmail.com", OPTIONS))[:6] == (
        "smtp.gmail.com", 587, "starttls", "me@gmail.com", "pw", Mailbox("Overheard", "me@gmail.com"),
    )  # fmt: skip


def test_a_url_is_read_as_apprise_reads_it() -> None:
    settings = read_settings(
        "mailtos://me:p%40w@example.com:465/x@y.example?smtp=mail.example.com&mode=ssl&from=Ann%20%3Cann@example.com%3E"
        "&to=Bo%20%3Cbo@example.com%3E&cc=cy@example.com&bcc=di@example.com&reply=ed@example.com",
        OPTIONS,
    )
    assert settings == MailSettings(
        host="mail.example.com",
        port=465,
        encryption="ssl",
        user="me",
        password="p@w",
        sender=Mailbox("Ann", "ann@example.com"),
        to=(Mailbox("", "x@y.example"), Mailbox("Bo", "bo@example.com")),
        cc=(Mailbox("", "cy@example.com"),),
        bcc=(Mailbox("", "di@example.com"),),
        reply_to=(Mailbox("", "ed@example.com"),),
    )


def test_a_thread_joins_the_mails_about_its_items_and_no_others() -> None:
    def root(workspace: str = "acme", **changes: Any) -> str:
        notice = msgspec.structs.replace(single(hostile_mention(**changes)), workspace=workspace)
        return str(written(notice)["References"])

    assert root(item="t1_a") == root(item="t1_b") == root(item="t3_xyz", thread=None, kind="post")
    assert len({root(), root(thread="t3_other"), root(source="hackernews"), root(workspace="other")}) == 4


def test_every_try_is_the_same_mail_but_for_its_age() -> None:
    notice = single(hostile_mention())
    first, second = (write_mail(notice, mail_page(notice, NOW), SETTINGS, to=BOSS, now=NOW) for _ in range(2))
    assert first == second


def test_a_way_to_unsubscribe_is_only_named_where_there_is_one() -> None:
    plain = single(hostile_mention())
    assert written(plain)["List-Unsubscribe"] is None
    muted = written(msgspec.structs.replace(plain, links=NoticeLinks(mute="https://o.example/mute/1")))
    assert muted["List-Unsubscribe"] == "<https://o.example/mute/1>"
    assert muted["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    answered = written(plain, msgspec.structs.replace(SETTINGS, reply_to=(Mailbox("", "team@acme.example"),)))
    assert answered["List-Unsubscribe"] == "<mailto:team@acme.example?subject=unsubscribe%20acme>"
    assert answered["List-Unsubscribe-Post"] is None


def test_a_sender_with_a_name_keeps_it() -> None:
    named = msgspec.structs.replace(SETTINGS, sender=Mailbox("Jürgen, news", "news@acme.example"))
    assert written(single(hostile_mention()), named)["From"].addresses[0].display_name == "Jürgen, news"
    assert written(single(hostile_mention()))["From"].addresses[0].display_name == "Overheard · Acme"


@pytest.mark.parametrize("case", HOSTILE)
def test_the_subject_is_one_line_whatever_is_in_it(case: str) -> None:
    notice = single(hostile_mention(**HOSTILE[case]))
    assert " ".join(written(notice)["Subject"].split()) == " ".join(mail_page(notice, NOW).subject.split())


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(mentions(), texts(), texts(), texts())
def test_no_text_adds_a_header(mention: Any, name: str, sender: str, to: str) -> None:
    notice = msgspec.structs.replace(single(mention), name=name, workspace=name)
    mailboxes = msgspec.structs.replace(
        SETTINGS, reply_to=(BOSS,), sender=Mailbox(sender, "me@acme.example"), cc=(Mailbox(to, "c@d.co"),)
    )
    plain = written(single(hostile_mention()), mailboxes)
    assert written(notice, mailboxes, Mailbox(to, "boss@example.com")).keys() == plain.keys()


@pytest.mark.thorough
@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=3000))
def test_the_size_in_a_mail_is_known_before_it_is_written(text: str) -> None:
    from overheard.channels.email.message import text_part

    real = len(text_part(text, "plain").get_payload().replace("\n", "\r\n"))
    assert real <= wire_size(text) <= real * 1.3 + 200
