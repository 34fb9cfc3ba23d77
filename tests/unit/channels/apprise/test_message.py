"""Every message stays within its medium's limit, measured on what the service sends; shown + omitted = total."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overheard.channels import ChannelOptions
from overheard.channels.apprise.mail import MAX_PAGE_CHARS
from overheard.channels.apprise.transport import AppriseTransport
from overheard.notices import Alert, AlertedIncident, Notice, PlaceCount, PublicMention, Totals
from tests.servers.chats import CHATS, text_of, units
from tests.servers.sink import HttpSink, MailSink

OPTIONS = ChannelOptions(allow_private=True, timeout=20.0, user_agent="Overheard/test")
MakeMention = Callable[..., PublicMention]
NOW = 1_772_600_900.0
URLS = {
    "slack": "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "discord": "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "google chat": "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k-1&token=t%3D",
}
LINK = re.compile(r"https://www\.reddit\.com/r/python/comments/(x\d+)/")
LONG = "Wir nutzen 🎉 <b>acme db</b> & co.; a_b *und* `c`, siehe [hier](https://x.example). " * 40


class Receivers:
    """The chats' simulators behind one sink."""

    def __init__(self, http: HttpSink, monkeypatch: pytest.MonkeyPatch) -> None:
        self.http = http
        AppriseTransport(URLS["slack"], None, OPTIONS)
        from apprise.plugins import discord, google_chat, slack, telegram

        monkeypatch.setattr(slack.NotifySlack, "webhook_url", http.url)
        monkeypatch.setattr(discord.NotifyDiscord, "notify_url", http.url)
        monkeypatch.setattr(telegram.NotifyTelegram, "notify_url", f"{http.url}/bot")
        monkeypatch.setattr(google_chat.NotifyGoogleChat, "notify_url", http.url)

    def read(self, chat: str, notice: Notice) -> str:
        """Send the notice to ``chat`` and return what a reader sees there; it must be one message."""
        self.http.always = CHATS[chat]
        before = len(self.http.arrived)
        AppriseTransport(URLS[chat], None, OPTIONS).send(notice)
        (request,) = self.http.wait_for(before + 1)[before:]
        return text_of(request)


@pytest.fixture
def receivers(http: HttpSink, monkeypatch: pytest.MonkeyPatch) -> Receivers:
    return Receivers(http, monkeypatch)


def many(mention: MakeMention, count: int, *, title: str = "Which database?", body: str = LONG) -> Notice:
    """Return a notice as the database makes them: the newest 200 mentions, oldest first."""
    shown = tuple(
        mention(title=title, body=body, permalink=f"/r/python/comments/x{n}/which_database_do_you_all_use/a{n}/")
        for n in range(max(count - 200, 0), count)
    )
    if count == 1:
        return Notice("d1", "mention.created", "acme", shown)
    totals = Totals(total=count, by_query={"brand": count}, by_place=(PlaceCount("reddit", "python", count),))
    return Notice("d1", "digest", "acme", shown, omitted=count - len(shown), totals=totals)


def check(text: str, total: int) -> int:
    """Return how many are shown. Those must be the newest, and the end of the text must count the others."""
    shown = [int(name[1:]) for name in LINK.findall(text)]
    assert len(shown) == len(set(shown))
    rest = re.search(r"(?:^|\W)(?:and (\d+) more|(\d+) mentions?, not shown here)\s*$", text)
    whole = re.search(r"(\d+) mentions", text)
    omitted = int(rest[1] or rest[2]) if rest else int(whole[1]) if whole and not shown else 0
    assert len(shown) + omitted == total
    assert sorted(shown) == list(range(total - len(shown), total))
    return len(shown)


@pytest.mark.parametrize("count", [1, 40, 500])
@pytest.mark.parametrize("chat", URLS)
def test_a_chat_gets_as_many_as_fit_and_the_number_of_the_others(
    chat: str, count: int, receivers: Receivers, mention: MakeMention
) -> None:
    text = receivers.read(chat, many(mention, count))
    shown = check(text, count)
    assert shown >= min(count, {"discord": 6, "telegram": 12, "google chat": 10, "slack": 40}[chat])
    assert "overheard mentions" not in text
    if count > 1:
        assert f"{count} mentions" in text


TEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("&<>_*`[]()~#+-=|{}.!\\ \n🎉é@")), min_size=1, max_size=400
)


@pytest.mark.thorough
@pytest.mark.parametrize("chat", URLS)
@given(title=TEXTS, body=TEXTS, count=st.integers(1, 320), names=st.integers(1, 60))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_every_text_fits_whatever_strangers_write(
    chat: str, title: str, body: str, count: int, names: int, receivers: Receivers, mention: MakeMention
) -> None:
    notice = many(mention, count, title=title, body=body * 5)
    check(receivers.read(chat, notice), count)


SHORT = {
    "sns://AHIAJGNT76XIMXDBIJYA/bu1dHSdO22pfaaVy/wmNsdjJC4xb1ugDqLKXhjqYvA/us-east-1/+12223334444": 160,
    "dapnet://user:pass@DF1ABC": 80,
    "aprs://DF1ABC:12345@DF1DEF": 67,
    "mastodon://token@example.com": 500,
    f"pover://{30 * 'a'}@{30 * 'b'}": 1024,
    "irc://example.com/#chan": 380,
    "kodi://example.com": 32768,
}


@pytest.mark.parametrize("url", SHORT)
@pytest.mark.parametrize("count", [1, 40, 500])
def test_messages_fit_the_shortest_media_too(url: str, count: int, mention: MakeMention) -> None:
    from overheard.channels.apprise.message import compose

    service = AppriseTransport(url, None, OPTIONS).service()
    message = compose(service, many(mention, count, title="T" * 300), NOW)
    (sent,) = service._build_send_calls(
        title=message.title, body=message.body, notify_type="info", overflow="truncate", body_format="text"
    )
    title = sent["title"] if service.overflow_amalgamate_title else ""  # else it has a limit of its own
    assert units(title + sent["body"]) <= SHORT[url]
    assert message.body.splitlines()[-1] in sent["body"]
    shown = check(message.body, count)
    if count == 1 and SHORT[url] >= 160:
        assert shown == 1, "rather a shorter title than no link"


@pytest.mark.parametrize("count", [1, 40, 500])
def test_a_mail_has_its_links_in_both_parts(count: int, mail: MailSink, mention: MakeMention) -> None:
    url = f"mailto://127.0.0.1:{mail.port}/?from=overheard@example.com&to=boss@example.com"
    AppriseTransport(url, None, OPTIONS).send(many(mention, count))
    message = mail.wait_for(1)[0]
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    listed = len(set(LINK.findall(text)))
    assert listed >= min(count, 100)
    assert listed == count or f"and {count - listed} more" in text
    shown = len(set(LINK.findall(html)))
    assert shown >= min(count, 80)
    assert len(html) <= MAX_PAGE_CHARS
    assert "overheard mentions" not in text + html
    assert ">acme db</b>" in html
    if count > 1:
        assert f"{count} mentions" in message["Subject"]
        assert f"{count} mentions" in html
    if shown < count:
        assert f"{count - shown} more" in html
    assert LINK.search(html)[1] == f"x{count - 1}", "the newest is the first"


def test_an_alert_that_is_too_long_counts_what_it_leaves_out(receivers: Receivers) -> None:
    incidents = tuple(
        AlertedIncident(f"channel-{n}-failing", n + 1, ("acme/team", "acme/boss"), "2026-03-04T05:06:07Z", "look " * 25)
        for n in range(40)
    )
    text = receivers.read("discord", Notice("a1", "alert", "", (), alert=Alert("host.example", incidents)))
    shown = len(re.findall(r"^\d+ × channel-\d+-failing\r?$", text, re.M))
    assert 0 < shown < 40
    assert text.endswith(f"and {40 - shown} more")
