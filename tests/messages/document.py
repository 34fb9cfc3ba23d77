"""docs/messages.md, around the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from tests.messages.pictures import Picture
from tests.servers.mail_server import ReceivedMail

INTRODUCTION = """# Messages

<!-- Written by `make messages`, as are the pictures in messages/. -->

What Overheard sends, in each medium. The pictures are made from messages that Overheard's own senders sent to stand-ins
of the services, which are as strict as these: e-mail as Chromium draws it, chats in simple drawings of their programs.
Acme, its queries and everybody's words are invented.

A channel gets a *mention* as a message of its own, a *summary* once there are many, a *digest* on a schedule, and a
*report* when the workspace should know something about itself. Numbers are always those of everything that was found,
also where not everything is shown; what is left out is counted.
"""
EMAIL = """
## E-mail

`mailto://` and `mailtos://`: tables and inline styles, no pictures and nothing to load, light or dark as the reader's
program is, at most 90 kB, so that no program clips it. Mails about the same thread are one conversation. Each recipient
in `to=` gets a mail of their own.
"""
TEXT = """
Every mail also has a text, with the same content and all links:
"""
HEADERS = """
and the headers by which programs sort, thread and never answer it:
"""
CHATS = {
    "slack": """
## Slack

An incoming webhook or a bot: blocks, with a text for the notification.
""",
    "discord": """
## Discord

A webhook: embeds, which ping nobody whatever is written in them.
""",
    "telegram": """
## Telegram

A bot: HTML.
""",
    "ntfy": """
## ntfy

A topic on ntfy.sh or your own server. A tap opens the item.
""",
}
OTHERS = """
## Everything else

Teams, Google Chat, Matrix, Pushover and a hundred more get the text of a mail or its Markdown, by Apprise. Webhooks get
JSON: see the README.

## Repeats

A message is sent at least once: if the answer to it is lost, by a crash or in the network, it is sent again with the
same id. Signed webhooks carry the id, many mail programs show only one mail of two with the same Message-ID, and ntfy
(2.16 and later) replaces the first notification. Slack, Discord's webhooks and Telegram have no field by which a
repeat is known, so it is seen twice there. Only a lost answer does it, not a refusal or a full queue. Of several
chats, topics or mailboxes of one channel, only those that did not accept the message get it again, as long as the
process runs.
"""
SHOWN_HEADERS = (
    "From", "To", "Subject", "Message-ID", "In-Reply-To", "References", "List-Id", "Auto-Submitted", "Precedence"
)  # fmt: skip


def document(pictures: Sequence[Picture], mail: ReceivedMail) -> str:
    """Return the page: each medium with its pictures."""
    headers = "\n".join(f"{name}: {mail.message[name]}" for name in SHOWN_HEADERS)
    parts = [INTRODUCTION, EMAIL, *_images(pictures, "email")]
    parts += [TEXT, _block(mail.part("plain").strip()), HEADERS, _block(headers)]
    for medium, text in CHATS.items():
        if images := _images(pictures, medium):
            parts += [text, *images]
    return "".join([*parts, OTHERS])


def _images(pictures: Sequence[Picture], medium: str) -> list[str]:
    return [f"\n![{each.words}](messages/{each.name}.png)\n" for each in pictures if each.name.startswith(f"{medium}-")]


def _block(text: str) -> str:
    return f"\n```text\n{text}\n```\n"
