"""notify: claims a channel's deliveries, sends them, marks them (I4)."""

from __future__ import annotations

from actors.context import Context
from actors.notify.notifier import Notifier
from overheard import __version__
from overheard.bus.actor import StageWork
from overheard.channels import ChannelOptions, Transport
from overheard.channels.registry import open_transport
from overheard.db.channels import ChannelRow
from overheard.messages import NotifyChannel
from overheard.permits import BudgetNeed

# Channels have budgets of their own, and as many may be used up as there are channels: if each held a thread for a
# second, those that have tokens left would wait for the threads.
MAX_WAIT_SECONDS = 0.1


def work(context: Context) -> StageWork:
    """The stage's work. Each channel has a budget of its own."""
    rules = context.config.notify
    options = ChannelOptions(
        allow_private=rules.allow_private,
        timeout=rules.timeout,
        user_agent=f"Overheard/{__version__}",
        clock=context.clock,
    )

    def ready(row: ChannelRow) -> Transport:
        return open_transport(row.url, row.secret, options=options)

    notifier = Notifier(
        db=context.db,
        send=context.send,
        open_channel=ready,
        clock=context.clock,
        rules=rules,
        metrics=context.metrics,
    )
    return StageWork(notifier.notify, need)


def need(message: NotifyChannel) -> BudgetNeed:
    """The channel's budget."""
    return BudgetNeed(f"channel:{message.channel_id}", max_wait=MAX_WAIT_SECONDS)
