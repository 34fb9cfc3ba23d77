"""What a strict mail server requires of a mail: RFC 5321 and 5322, MIME, and what big providers refuse besides."""

from __future__ import annotations

import re
from collections import Counter
from email import message_from_bytes, policy
from email.message import EmailMessage

LINE_MAX_BYTES = 998
ENCODED_WORD_MAX_CHARS = 75
FIELD = re.compile(rb"[!-9;-~]+: ?\S.*")
ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[bqBQ]\?[^?\s]*\?=")
REQUIRED = ("From", "To", "Date", "Message-ID", "Subject", "MIME-Version", "Content-Type")
ONCE = (*REQUIRED, "Cc", "Reply-To", "Sender", "In-Reply-To", "References", "List-Id", "List-Unsubscribe")


def parsed(data: bytes) -> EmailMessage:
    """Return the mail as a reader's program sees it."""
    mail: EmailMessage = message_from_bytes(data, policy=policy.default)
    return mail


def broken_rule(data: bytes, *, eight_bit: bool) -> str | None:
    """Return the first rule that a mail breaks; None if a server would take it. ``eight_bit``: BODY=8BITMIME."""
    lines = data.split(b"\r\n")
    head, _, _ = data.partition(b"\r\n\r\n")
    return _broken_line(lines, eight_bit=eight_bit) or _broken_field(head) or _broken_structure(parsed(data))


def _broken_line(lines: list[bytes], *, eight_bit: bool) -> str | None:
    for line in lines:
        if b"\r" in line or b"\n" in line:
            return "a bare CR or LF"
        if len(line) > LINE_MAX_BYTES:
            return f"a line of {len(line)} bytes"
        if b"\0" in line:
            return "a NUL"
        if not eight_bit and not line.isascii():
            return "8-bit data without BODY=8BITMIME"
    return None


def _broken_field(head: bytes) -> str | None:
    if not head.isascii():
        return "a header that is not ASCII"
    fields: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in b" \t" and fields:
            if not line.strip():
                return "a line of a header that has only white space"
            fields[-1] += line
        elif FIELD.fullmatch(line):
            fields.append(line)
        else:
            return f"a malformed header: {line[:60]!r}"
    names = Counter(field.partition(b":")[0].decode().lower() for field in fields)
    for name in REQUIRED:
        if not names[name.lower()]:
            return f"no {name}"
    for name in ONCE:
        if names[name.lower()] > 1:
            return f"{name} twice"
    if names["bcc"]:
        return "Bcc is shown"
    long = [word for word in ENCODED_WORD.findall(head.decode()) if len(word) > ENCODED_WORD_MAX_CHARS]
    return f"an encoded word of {len(long[0])} characters" if long else None


def _broken_structure(mail: EmailMessage) -> str | None:
    for part in mail.walk():
        if part.defects:
            return f"a malformed part: {type(part.defects[0]).__name__}"
    for name in ("From", "To", "Date", "Subject"):
        if defects := mail[name].defects:
            return f"a malformed {name}: {defects[0]}"
    if not re.fullmatch(r"<[^\s<>@]+@[^\s<>@]+>", mail["Message-ID"]):
        return "a Message-ID without a domain"
    if mail.get_body(("html",)) is not None and mail.get_body(("plain",)) is None:
        return "a page without a text"
    return None
