"""notify: claim a channel's deliveries, send them, mark them (I4).

``notifier`` runs a round, ``attempts`` sends one delivery and handles the result, ``batch`` holds the claim,
``receiver_shares`` limits the threads that failing receivers may hold.
"""

from __future__ import annotations

import msgspec

from actors.context import Context
from actors.notify.notifier import Notifier
from overheard.bus.actor import StageWork
from overheard.channels import Transport
from overheard.channels.registry import open_transport
from overheard.db.channels import ChannelRow
from overheard.messages import NotifyChannel
from overheard.operations.channels import options
from overheard.permits import BudgetNeed

# Less than the general second (permits.MAX_THREAD_WAIT_SECONDS): each channel has its own budget, and all of them may
# be exhausted at once. If each held a thread for a second, channels that have tokens left would wait for the threads.
MAX_WAIT_SECONDS = 0.1


def work(context: Context) -> StageWork:
    """Return the stage's work. Each channel has its own budget."""
    rules = context.config.notify
    allowed = options(context.config, allow_private=rules.allow_private)
    allowed = msgspec.structs.replace(allowed, clock=context.clock)

    def ready(row: ChannelRow) -> Transport:
        return open_transport(row.url, row.secret, options=allowed)

    notifier = Notifier(
        db=context.db,
        send=context.send,
        open_transport=ready,
        clock=context.clock,
        rules=rules,
        metrics=context.metrics,
    )
    return StageWork(notifier.notify, need)


def need(message: NotifyChannel) -> BudgetNeed:
    """Return the budget of the message's channel."""
    return BudgetNeed(f"channel:{message.channel_id}", max_wait=MAX_WAIT_SECONDS)
