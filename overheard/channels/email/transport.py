"""``mailto://`` and ``mailtos://``: mails of our own, with links in the text part and the headers of mailing lists.

Each recipient in ``to=`` gets a mail of its own, so that recipients do not see each other; ``cc=`` and ``bcc=`` get the
first one's. A recipient that is refused for good does not stop the others: it is logged, and the delivery is complete.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterator

from overheard.channels import ChannelOptions, Pace
from overheard.channels.email.message import write_mail
from overheard.channels.email.page import mail_page
from overheard.channels.email.session import MailReply, MailSession, answered, open_session
from overheard.channels.email.settings import Mailbox, is_readable, read_settings
from overheard.channels.preview import MessagePreview
from overheard.channels.recipient_memory import RecipientMemory
from overheard.errors import DeliveryRefused, PartlyRefused, RetryableError
from overheard.net import egress
from overheard.net.deadline import Deadline
from overheard.net.http_pool import system_tls
from overheard.notices import Notice
from overheard.observability.log import get_logger

log = get_logger(__name__)

_memory = RecipientMemory()  # of the process: a transport lives for one round only


class EmailTransport:
    """Sends mails to one channel's recipients. Holds no connection, so threads may share it."""

    kind = "email"
    signed = False
    pace: Pace | None = None

    @staticmethod
    def takes(url: str) -> bool:
        """Return True for ``mailto://`` and ``mailtos://`` without options that only Apprise knows."""
        return is_readable(url)

    def __init__(
        self,
        url: str,
        secret: str | None,
        options: ChannelOptions,
        *,
        memory: RecipientMemory = _memory,
        resolve: egress.Resolve = egress.resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = read_settings(url, options)
        self._options = options
        self._memory = memory
        self._resolve = resolve
        self._tls = tls

    def preview(self, notice: Notice) -> MessagePreview:
        """Return subject and text, and the page."""
        page = mail_page(notice, self._options.clock())
        return MessagePreview(f"Subject: {page.subject}\n\n{page.text}", page.html)

    def send(self, notice: Notice) -> None:
        """Deliver once. Raises RetryableError, DeliveryRefused or PermanentError (``session``; EgressRefused)."""
        options, settings = self._options, self._settings
        now = options.clock()
        page = mail_page(notice, now)
        refused: dict[str, MailReply] = {}
        with Deadline(options.timeout) as deadline:
            dial = functools.partial(
                egress.connect,
                settings.host,
                settings.port,
                deadline=deadline,
                allow_private=options.allow_private,
                resolve=self._resolve,
            )
            with open_session(settings, dial, self._tls or system_tls(), deadline) as session:
                for to, recipients in self._envelopes(notice.id):
                    mail = write_mail(notice, page, settings, to=to, now=now)
                    refused |= self._submit(session, notice.id, recipients, mail)
        self._conclude(notice.id, refused, now)

    def _envelopes(self, delivery: str) -> Iterator[tuple[Mailbox, list[str]]]:
        """Yield each mail's ``To``, and those whom it goes to and who do not have it yet."""
        settings = self._settings
        done = set(self._memory.accepted(delivery))
        copies = [*settings.cc, *settings.bcc]
        for to in settings.to:
            recipients = [box.address for box in (to, *copies) if box.address not in done]
            done.update(recipients)
            if recipients:
                yield to, recipients

    def _submit(self, session: MailSession, delivery: str, recipients: list[str], mail: bytes) -> dict[str, MailReply]:
        refused = session.send(self._settings.sender.address, recipients, mail)
        if accepted := set(recipients) - set(refused):
            self._memory.record_accepted(delivery, accepted)
        return refused

    def _conclude(self, delivery: str, refused: dict[str, MailReply], now: float) -> None:
        """Return if the delivery is complete, else raise what is to be done about the recipients that were refused."""
        waiting = [r for r, reply in refused.items() if reply.temporary and self._memory.is_worth_waiting(r, now)]
        some = bool(self._memory.accepted(delivery))
        if not waiting and (some or not refused):
            if refused:
                answers = sorted({reply.words for reply in refused.values()})
                log.warning("recipients refused", delivery=delivery, count=len(refused), answers=answers)
            return self._memory.forget(delivery)
        reply = refused[waiting[0]] if waiting else next(iter(refused.values()))
        reason = (
            f"{self._settings.host}: {answered(reply)} for {len(waiting) or len(refused)} of {self._count} recipients"
        )
        # The channel as a whole pauses only if the server took the mail for none of them and may take it later.
        if some:
            raise PartlyRefused(reason)
        raise (RetryableError if reply.temporary else DeliveryRefused)(reason)

    @property
    def _count(self) -> int:
        settings = self._settings
        return len({box.address for box in (*settings.to, *settings.cc, *settings.bcc)})
