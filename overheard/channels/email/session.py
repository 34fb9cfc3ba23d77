"""One SMTP conversation over a guarded connection, within the deadline.

What a server answers decides what follows. Only its code is shown: its text may repeat an address or what was sent.

    the connection, the greeting, TLS, the login, 4xx     RetryableError: about the server, or about all mails to it
    MAIL or DATA 5xx                                      DeliveryRefused: about this mail; another may be accepted
    552 or 5.3.4                                          PermanentError: what is too large stays too large
    RCPT 4xx or 5xx                                       returned for each recipient: others may be accepted
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from overheard.channels.email.settings import MailSettings
from overheard.errors import DeliveryRefused, OverheardError, PermanentError, RetryableError
from overheard.net.connection_errors import describe_connection_error
from overheard.net.deadline import Deadline

QUIT_SECONDS = 1.0  # the mail has been accepted by then
TOO_LARGE = 552
ENHANCED_CODE = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")


class MailReply(NamedTuple):
    """A server's refusal: its code, and that with the enhanced code (RFC 3463), as ``550 5.1.1``."""

    code: int
    words: str

    @property
    def temporary(self) -> bool:
        """Return True if the same may be accepted later."""
        return self.code < 500


class MailSession:
    """A conversation that is ready for mails, from ``open_session``."""

    def __init__(self, smtp: smtplib.SMTP, host: str) -> None:
        self._smtp = smtp
        self._host = host

    def send(self, sender: str, recipients: Sequence[str], mail: bytes) -> dict[str, MailReply]:
        """Send one mail. Return the recipients that the server refused, with what it answered; perhaps all."""
        try:
            refused = self._smtp.sendmail(sender, recipients, mail)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise self._failure(_reply(error.smtp_code, error.smtp_error)) from None
        replies = {recipient: _reply(code, text) for recipient, (code, text) in refused.items()}
        for reply in replies.values():
            if reply.code == 421:  # it closes the connection: this is not about the recipient
                raise RetryableError(f"{self._host}: {answered(reply)}")
        return replies

    def _failure(self, reply: MailReply) -> OverheardError:
        reason = f"{self._host}: {answered(reply)}"
        if reply.temporary:
            return RetryableError(reason)
        if reply.code == TOO_LARGE or "5.3.4" in reply.words:
            return PermanentError(f"{reason}: allow mails of 200 kB there")
        return DeliveryRefused(reason)


@contextmanager
def open_session(
    settings: MailSettings, dial: Callable[[], socket.socket], tls: ssl.SSLContext, deadline: Deadline
) -> Iterator[MailSession]:
    """Connect, encrypt and log in; say goodbye at the end. Raises RetryableError for whatever goes wrong in between."""
    try:
        smtp = _SmtpConnection(settings, dial, tls, deadline)
        try:
            _prepare(smtp, settings, tls)
            yield MailSession(smtp, settings.host)
            if deadline.passed:  # a reply that was cut off parses like a complete one; a server that slow is broken
                raise TimeoutError("the attempt was cut off")
            deadline.shorten(QUIT_SECONDS)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()
        finally:
            smtp.close()
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise RetryableError(f"{settings.host}{_problem(error, deadline)}") from None


def _prepare(smtp: smtplib.SMTP, settings: MailSettings, tls: ssl.SSLContext) -> None:
    if settings.encryption == "starttls":
        smtp.starttls(context=tls)
    if settings.password:
        smtp.login(settings.user, settings.password)


def _problem(error: Exception, deadline: Deadline) -> str:
    if deadline.cut_reason:
        return f" {deadline.cut_reason}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ": the mail server does not offer the encryption (mode=starttls) or the login that the URL asks for"
    if type(error) is smtplib.SMTPException and "No suitable authentication" in str(error):
        return ": the mail server offers no login that is known here (CRAM-MD5, PLAIN or LOGIN)"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f": the mail server refused the login ({_reply(error.smtp_code, error.smtp_error).words})"
    if isinstance(error, UnicodeError):
        return ": its user name or password has characters that SMTP cannot carry"
    return f": {describe_connection_error(error) or f'the mail was not accepted ({type(error).__name__})'}"


def answered(reply: MailReply) -> str:
    """Return a reply in our own words."""
    return f"the mail server answered {reply.words}"


def _reply(code: int, text: bytes | str) -> MailReply:
    enhanced = ENHANCED_CODE.match(text if isinstance(text, bytes) else text.encode("ascii", "replace"))
    return MailReply(code, f"{code} {enhanced.group().decode()}" if enhanced else str(code))


class _SmtpConnection(smtplib.SMTP):
    """Connects through ``dial`` when it is made. Keeps the host's name for TLS (SNI, certificate)."""

    def __init__(
        self, settings: MailSettings, dial: Callable[[], socket.socket], tls: ssl.SSLContext, deadline: Deadline
    ) -> None:
        self._dial = dial
        self._implicit_tls = tls if settings.encryption == "ssl" else None
        # EHLO with the sender's domain: this machine's own name would say something about its network.
        super().__init__(settings.host, settings.port, local_hostname=settings.domain, timeout=deadline.remaining())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = self._dial()
        return self._implicit_tls.wrap_socket(sock, server_hostname=host) if self._implicit_tls else sock
