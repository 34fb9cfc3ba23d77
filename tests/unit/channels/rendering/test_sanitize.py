from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from overheard.channels.rendering.sanitize import clean, defuse, escape_markdown, isolated, one_line, truncate

# What Discord, Slack, Mattermost, Matrix, Google Chat and Telegram treat as commands.
PINGS = [
    r"@everyone", r"@here", r"@channel", r"@room", r"@all", r"@[a-z]\w*",
    r"<@!?\d+>", r"<@&\d+>", r"<#\d+>", r"<![a-z]+",
    r"<!subteam\^", r"<@[UW]\w+", r"<https?://[^|>]+\|", r"<users/all>", r"</\w+:\d+>", r"<t:\d+", r"<a?:\w+:\d+>",
    r"\]\([a-z]+://", r"<img",
]  # fmt: skip
HOSTILE = """@everyone @here @channel @room @all @bob <@123> <@!123> <@&5> <#42> <!channel> <!here|x> <!subteam^S1>
<@U024> <https://evil|Bank> <users/all> </run:1> <t:1> <a:b:1> [Bank](https://evil) ![x](https://evil/t.png) [Bank][1]
foo@everyone <img onerror=x>"""


@pytest.mark.parametrize("ping", PINGS)
def test_no_service_finds_a_command(ping: str) -> None:
    assert re.search(ping, HOSTILE), "the sample must contain what it is tested for"
    assert not re.search(ping, defuse(HOSTILE))
    assert not re.search(ping, escape_markdown(HOSTILE))


def test_defused_text_still_reads_the_same() -> None:
    assert defuse(HOSTILE).replace("\u200b", "") == HOSTILE


def test_markdown_is_shown_as_written() -> None:
    shown = re.sub(
        r"</?p>|\u200b",
        "",
        MarkdownIt("commonmark").render(escape_markdown("**a** _b_ `c` # d [e](http://f) 1. g <b>h</b>")),
    )
    assert shown == "**a** _b_ `c` # d [e](http://f) 1. g &lt;b&gt;h&lt;/b&gt;\n"


def test_a_subject_cannot_contain_a_second_header() -> None:
    assert one_line("a\r\nBcc: x@example.com\x00\u2028b", 100) == "a Bcc: x@example.comb"


def test_control_and_direction_characters_are_removed() -> None:
    assert clean("a\x1b[31mb\u202ec\u2066d\ud800") == "a[31mbcd"
    assert clean("a\tb\r\nc\rd") == "a\tb\nc\nd"


def test_truncated_text_ends_with_an_ellipsis() -> None:
    assert truncate("abcdef", 6) == "abcdef"
    assert truncate("abcdefg", 6) == "abcde…"


def test_a_character_keeps_three_accents_at_most() -> None:
    assert clean("z" + "\u0300" * 50 + "\u0335x") == "z" + "\u0300" * 3 + "x"
    assert clean("Vie\u0323\u0302t \u0e19\u0e49\u0e33") == "Vie\u0323\u0302t \u0e19\u0e49\u0e33"


@pytest.mark.parametrize("text", ["كاتب", "abc עברית"])
def test_a_name_written_right_to_left_is_followed_by_a_mark(text: str) -> None:
    assert isolated(text) == f"{text}\u200e"
    assert isolated("late_night_sysop") == "late_night_sysop"
