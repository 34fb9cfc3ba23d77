"""Send one message to each of a channel's recipients, such as the chats of one bot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from overheard.channels.recipient_memory import RecipientMemory
from overheard.errors import ChannelGone, DeliveryRefused, PartlyRefused, PermanentError

Recipient = TypeVar("Recipient")


def send_to_each(
    recipients: Mapping[str, Recipient],
    send: Callable[[Recipient], None],
    *,
    delivery: str,
    memory: RecipientMemory,
    now: float,
) -> None:
    """Call ``send`` for each recipient that does not have the delivery. Their keys are unique among all channels.

    1. A fault that passes ends the try at once.
    2. If all refuse, the first refusal is raised.
    3. If some do, PartlyRefused: it is tried again for them, for an hour after a recipient's first refusal.
    4. After that, or if those put us out, PermanentError marks it as failed and says what was refused.
    """
    accepted, refusals = set(memory.accepted(delivery)), dict[str, DeliveryRefused | ChannelGone]()
    for key, recipient in recipients.items():
        if key in accepted:
            continue
        try:
            send(recipient)
        except (DeliveryRefused, ChannelGone) as refusal:
            refusals[key] = refusal
        else:
            memory.record_accepted(delivery, {key})
    if len(refusals) == len(recipients):
        raise next(iter(refusals.values()))
    refused = {key for key, refusal in refusals.items() if isinstance(refusal, DeliveryRefused)}
    waiting = [key for key in sorted(refused) if memory.is_worth_waiting(key, now)]
    counted = f"{len(recipients) - len(refusals)} of {len(recipients)} recipients have it"
    if waiting:
        raise PartlyRefused(f"{counted}: {refusals[waiting[0]]}")
    memory.forget(delivery)
    if refusals:
        raise PermanentError(f"{counted}: {next(iter(refusals.values()))}")
