"""Send one message to each of a channel's recipients, such as the chats of one bot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from overheard.errors import ChannelGone, DeliveryRefused, PermanentError

Recipient = TypeVar("Recipient")


def send_to_each(recipients: Sequence[Recipient], send: Callable[[Recipient], None]) -> None:
    """Call ``send`` for each recipient.

    1. A fault that passes ends it at once, and all are tried again: those before it get the message twice (I4).
    2. If all refuse, the first refusal is raised.
    3. If some do, the message is not sent again to those that have it: PermanentError, which marks it as failed and
       says what was refused, instead of repeats for days.
    """
    refusals: list[DeliveryRefused | ChannelGone] = []
    for recipient in recipients:
        try:
            send(recipient)
        except (DeliveryRefused, ChannelGone) as refusal:
            refusals.append(refusal)
    if not refusals:
        return
    accepted = len(recipients) - len(refusals)
    if not accepted:
        raise refusals[0]
    raise PermanentError(f"{accepted} of {len(recipients)} recipients have it: {refusals[0]}")
