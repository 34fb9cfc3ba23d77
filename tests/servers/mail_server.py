"""A mail server that takes what a strict one takes, over plain SMTP, STARTTLS or TLS, and answers as configured.

with MailServer(tls=context, login=("me", "secret")) as server:
    server.refused["gone@example.com"] = "550 5.1.1 no such mailbox"
    server.replies["DATA"] = "451 4.3.0 later"     # the next time that the command comes
    ...
    mail = server.wait_for(1)[0]
"""

from __future__ import annotations

import base64
import contextlib
import re
import socketserver
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cached_property
from typing import Literal

from tests.servers.mail_rules import broken_rule, parsed
from tests.servers.sink import QuietTcpServer, SinkServer, flood

MailFault = Literal["hang", "half", "drip", "endless", "close"]
GREETING, CONTENT = "CONNECT", "."  # in ``replies`` and ``faults``, beside the commands
MAILBOX = re.compile(rb"<([^<>\s]+@[^<>\s]+)>((?: [A-Z0-9]+(?:=\S+)?)*)\r\n")
HOST_NAME = re.compile(rb"([A-Za-z0-9-]+\.)*[A-Za-z0-9-]+")
SIZE_MAX_BYTES = 10_000_000
COMMAND_MAX_BYTES = 512


@dataclass(frozen=True)
class ReceivedMail:
    """A mail that was accepted, with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    hello: str
    encrypted: bool
    user: str | None

    @cached_property
    def message(self) -> EmailMessage:
        return parsed(self.data)

    def part(self, subtype: Literal["plain", "html"]) -> str:
        """Return the text or the page."""
        body = self.message.get_body((subtype,))
        assert body is not None, f"the mail has no {subtype} part"
        return str(body.get_content()).replace("\r\n", "\n")


@dataclass
class MailTransaction:
    """What was said since MAIL."""

    sender: str = ""
    eight_bit: bool = False
    recipients: list[str] = field(default_factory=list)


class MailServer(SinkServer):
    """``tls``: offers STARTTLS, or with ``implicit`` speaks TLS from the first byte. ``login``: who may send."""

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, implicit: bool = False, login: tuple[str, str] | None = None
    ) -> None:
        super().__init__()
        self.tls = tls
        self.implicit = implicit
        self.login = login
        self.login_offer = "PLAIN"
        self.refused: dict[str, str] = {}
        self.replies: dict[str, str] = {}
        self.faults: dict[str, MailFault] = {}
        self.broken: list[str] = []  # the rules that refused mails broke
        self.connections = 0
        self.flooded = 0
        server = _SmtpServer(("127.0.0.1", 0), _SmtpConversation)
        server.owner = self
        self.server = server


class _SmtpServer(QuietTcpServer, socketserver.ThreadingTCPServer):
    owner: MailServer


class _SmtpConversation(socketserver.StreamRequestHandler):
    server: _SmtpServer

    def setup(self) -> None:
        self.owner = self.server.owner
        self.owner.connections += 1
        self.hello = ""
        self.user: str | None = None
        self.encrypted = False
        self.mail: MailTransaction | None = None
        if self.owner.implicit:
            self._encrypt()
        super().setup()

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            if not self._reply(GREETING, "220 mail.example ESMTP"):
                return
            while (line := self.rfile.readline(COMMAND_MAX_BYTES + 1)) and self._command(line):
                pass

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.request.close()

    def _command(self, line: bytes) -> bool:
        """Answer one command. Return False if the connection ends."""
        if len(line) > COMMAND_MAX_BYTES or not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            return self._reply("", "500 5.5.2 a command ends with CRLF")
        verb = line[:4].strip().upper().decode("ascii", "replace")
        answers = {
            "EHLO": self._ehlo, "STAR": self._starttls, "AUTH": self._auth, "MAIL": self._mail, "RCPT": self._rcpt,
            "DATA": self._data, "RSET": self._rset,
        }  # fmt: skip
        if verb == "QUIT":
            self._reply(verb, "221 2.0.0 bye")
            return False
        return answers[verb](line) if verb in answers else self._reply(verb, "502 5.5.1 not here")

    def _ehlo(self, line: bytes) -> bool:
        name = line[5:-2]
        if not HOST_NAME.fullmatch(name):
            return self._reply("EHLO", "501 5.5.4 who are you")
        self.hello = name.decode()
        offers = ["8BITMIME", f"SIZE {SIZE_MAX_BYTES}", "ENHANCEDSTATUSCODES"]
        if self.owner.tls is not None and not self.encrypted:
            offers.append("STARTTLS")
        elif self.owner.login is not None:
            offers.append(f"AUTH {self.owner.login_offer}")
        return self._reply(
            "EHLO", "\r\n".join(["250-mail.example", *(f"250-{o}" for o in offers[:-1]), f"250 {offers[-1]}"])
        )

    def _starttls(self, line: bytes) -> bool:
        if self.owner.tls is None or self.encrypted:
            return self._reply("STARTTLS", "502 5.5.1 not here")
        if not self._reply("STARTTLS", "220 2.0.0 go on"):
            return False
        self._encrypt()
        self.connection = self.request
        self.rfile, self.wfile = self.connection.makefile("rb", -1), self.connection.makefile("wb", 0)
        self.hello, self.mail = "", None
        return True

    def _encrypt(self) -> None:
        assert self.owner.tls is not None
        self.request = self.owner.tls.wrap_socket(self.request, server_side=True)
        self.encrypted = True

    def _auth(self, line: bytes) -> bool:
        words = line.split()
        if words[1:2] != [b"PLAIN"] or len(words) != 3 or self.owner.login is None:
            return self._reply("AUTH", "504 5.5.4 use PLAIN")
        _, user, password = base64.b64decode(words[2], validate=True).decode().split("\0")
        if (user, password) != self.owner.login:
            return self._reply("AUTH", "535 5.7.8 who is that")
        self.user = user
        return self._reply("AUTH", "235 2.7.0 hello")

    def _mail(self, line: bytes) -> bool:
        match = re.fullmatch(rb"MAIL FROM:" + MAILBOX.pattern, line, re.IGNORECASE)
        if not self.hello or self.mail is not None:
            return self._reply("MAIL", "503 5.5.1 not now")
        if match is None:
            return self._reply("MAIL", "501 5.5.4 malformed")
        if self.owner.login is not None and self.user is None:
            return self._reply("MAIL", "530 5.7.0 log in")
        if not self._reply("MAIL", "250 2.1.0 ok"):
            return False
        if self.last == 250:
            self.mail = MailTransaction(match[1].decode(), b"BODY=8BITMIME" in match[2].upper())
        return True

    def _rcpt(self, line: bytes) -> bool:
        match = re.fullmatch(rb"RCPT TO:" + MAILBOX.pattern, line, re.IGNORECASE)
        if self.mail is None:
            return self._reply("RCPT", "503 5.5.1 not now")
        if match is None:
            return self._reply("RCPT", "501 5.5.4 malformed")
        recipient = match[1].decode()
        if not self._reply("RCPT", self.owner.refused.get(recipient, "250 2.1.5 ok")):
            return False
        if self.last == 250:
            self.mail.recipients.append(recipient)
        return True

    def _rset(self, line: bytes) -> bool:
        self.mail = None
        return self._reply("RSET", "250 2.0.0 ok")

    def _data(self, line: bytes) -> bool:
        if self.mail is None or not self.mail.recipients:
            return self._reply("DATA", "503 5.5.1 not now")
        if not self._reply("DATA", "354 go on"):
            return False
        if self.last != 354:
            return True
        content = []
        while (piece := self.rfile.readline(65536)) != b".\r\n":
            if not piece:
                return False
            content.append(piece[1:] if piece.startswith(b"..") else piece)
        return self._take(self.mail, b"".join(content))

    def _take(self, mail: MailTransaction, data: bytes) -> bool:
        self.mail = None
        broken = broken_rule(data, eight_bit=mail.eight_bit)
        if broken is not None:
            self.owner.broken.append(broken)
            return self._reply(CONTENT, f"554 5.6.0 {broken}")
        if not self._reply(CONTENT, "250 2.0.0 taken"):
            return False
        if self.last == 250:
            sender, recipients = mail.sender, tuple(mail.recipients)
            self.owner.arrived.add(ReceivedMail(sender, recipients, data, self.hello, self.encrypted, self.user))
        return True

    def _reply(self, step: str, text: str) -> bool:
        """Say it, or what was configured for this step. Return False if the connection is to end."""
        fault = self.owner.faults.get(step)
        if fault is not None:
            self._fail(fault)
            return False
        text = self.owner.replies.pop(step, text)
        self.last = int(text[:3])
        self.wfile.write(text.encode() + b"\r\n")
        return self.last != 421

    def _fail(self, fault: MailFault) -> None:
        if fault == "endless":
            flood(self.owner, self.connection, b"250-more\r\n")
        while fault == "drip" and not self.owner.closing.wait(0.02):
            self.wfile.write(b"2")
        if fault == "half":  # of a line that looks complete
            self.wfile.write(b"250 2.0.0 ta")
        if fault in ("hang", "half"):
            self.owner.closing.wait()
