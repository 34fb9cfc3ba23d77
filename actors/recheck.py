"""recheck: asks Reddit about what is stored, a hundred items a request, and erases what is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from actors.context import Context
from overheard.bus.actor import Work
from overheard.clock import Clock
from overheard.config import Recheck as Rules
from overheard.db import erasing, rechecks, retention
from overheard.db.budgets import source_key
from overheard.db.connect import Db
from overheard.db.rechecks import EARLY, LEASE, URGENT, Batch, Stored
from overheard.errors import Permanent, Postponed, TryAgain, Unavailable
from overheard.limits import Need, SparePermit
from overheard.log import get_logger
from overheard.messages import RecheckItems
from overheard.metrics import Metrics
from overheard.outcomes import Later, Outcome
from overheard.sending import Send
from overheard.sources import Checked, LooksUp

log = get_logger(__name__)

SOURCE = "reddit"  # the one that is asked
HOUR = 3600.0
REST = 30.0  # seconds for which items are left alone when the budget had nothing for them
AGAIN = 60.0  # … and after a fault of Reddit's, unless it names a time
# An answer that leaves an item out is no proof: a private subreddit looks like that, and so do faults. It has to be
# left out twice, so far apart; farther when the answer shows nothing at all of what was asked.
CONFIRMED = 6 * HOUR
CONFIRMED_BY_SILENCE = 24 * HOUR


def work(context: Context) -> Work:
    """The stage's work. It needs the source's budget, and for what is urgent a share of it."""
    rechecker = Rechecker(
        db=context.db,
        source=cast(LooksUp, context.sources()[SOURCE]),
        send=context.send,
        clock=context.clock,
        rules=context.config.recheck,
        metrics=context.metrics,
    )
    key = source_key(SOURCE, context.config) or ""
    need = Need(key, share=f"recheck:{key.partition(':')[2]}")
    return Work(rechecker.recheck, lambda message: need)


class Rechecker:
    """What the stage works with."""

    def __init__(self, *, db: Db, source: LooksUp, send: Send, clock: Clock, rules: Rules, metrics: Metrics) -> None:
        self.db = db
        self.source = source
        self.send = send
        self.clock = clock
        self.within = rules.within_hours * HOUR
        self.metrics = metrics

    def recheck(self, message: RecheckItems, permit: SparePermit) -> Outcome:
        """Ask about the message's items, or about the next that are due, and act on the answer.

        1. items that nobody mentions any more go without being asked about;
        2. what Reddit says is deleted or removed is erased, with its author, wherever it stands;
        3. what Reddit says nothing of is erased when that is confirmed (see CONFIRMED);
        4. an author without an account is taken off all that is stored; what was edited is stored as it is now.

        What can wait never makes a fetch wait: it uses what the budget has to spare, and else is left to a later
        tick. Urgent is what has not been asked about for URGENT of its time: that may also reserve slots, as often
        as the share of rechecks allows. A fault of Reddit's, whatever it is, erases nothing: the items are asked about
        later, and no message dies of it. Later when a slot is reserved; raises Unavailable (bus, database).
        """
        stored, lease = self._claimed(message)
        ids = [item.id for item in stored]
        if not stored:
            return None
        now = self.clock()
        permit.urgent = min(item.checked_at for item in stored) <= now - URGENT * self.within
        try:
            checked = self.source.info([item.ref for item in stored], permit)
        except Postponed as wait:
            if wait.slot is None:
                rechecks.hold(self.db, ids, lease, now + REST)
                log.debug("nothing to spare for a recheck", items=len(ids), urgent=permit.urgent)
                return None
            longer = now + wait.delay + LEASE
            rechecks.hold(self.db, ids, lease, longer)
            return Later.for_slot(wait, RecheckItems(item_ids=tuple(ids), lease=longer))
        except Unavailable:
            raise  # the database, where the budget is
        except (TryAgain, Permanent) as fault:
            delay = max(getattr(fault, "delay", None) or AGAIN, AGAIN)
            rechecks.hold(self.db, ids, lease, now + delay)
            log.warning("recheck put off", items=len(ids), seconds=delay, reason=str(fault))
            return None
        self._settle(stored, checked)
        if not message.item_ids and rechecks.due(self.db, self.clock() - EARLY * self.within, self.clock()):
            self.send(RecheckItems())
        return None

    def _claimed(self, message: RecheckItems) -> tuple[list[Stored], float]:
        """The items to ask about, under our own lease."""
        now = self.clock()
        batch = Batch(message.item_ids, message.lease)
        if not message.item_ids:
            claimed = rechecks.claim(self.db, before=now - EARLY * self.within, now=now, requests=1)
            batch = claimed[0] if claimed else batch
        stored, lease = rechecks.take(self.db, batch, now)
        unwanted = [item.id for item in stored if not item.mentioned]
        if unwanted:
            gone = retention.unmentioned(self.db, unwanted)
            self.metrics.items_erased.labels("old").inc(gone)
        foreign = [item.id for item in stored if item.source != self.source.name]
        rechecks.asked(self.db, foreign, now)  # of another source
        return [item for item in stored if item.mentioned and item.id not in foreign], lease

    def _settle(self, stored: Sequence[Stored], checked: Checked) -> None:
        now = self.clock()
        by_name = {item.ref: item for item in stored}
        gone = [by_name[name].id for name in checked.gone if name in by_name]
        missing = [by_name[name] for name in checked.absent if name in by_name]
        lost = [item.id for item in missing if self._confirmed(item, checked, now)]
        shown = [(by_name[item.id], item) for item in checked.items if item.id in by_name]
        authors = {
            (before.source, before.author)
            for before, item in shown
            if before.author is not None and item.author is None
        }
        erased = erasing.erase(self.db, [*gone, *lost], now, nameless=authors)
        changed = sum(rechecks.refresh(self.db, before, item) for before, item in shown)
        rechecks.absent(self.db, [item.id for item in missing if item.id not in lost], now)
        rechecks.there(self.db, [before.id for before, _ in shown], now)
        told = {*checked.gone, *checked.absent, *(item.id for item in checked.items)}
        rechecks.asked(self.db, [item.id for item in stored if item.ref not in told], now)
        self.metrics.items_rechecked.inc(len(stored))
        self.metrics.items_erased.labels("deleted").inc(erased.items)
        log.info(
            "rechecked",
            items=len(stored),
            absent=len(missing) - len(lost),
            changed=changed,
            accounts=len(authors),
            **{f"erased_{name}": count for name, count in msgspec.structs.asdict(erased).items() if count},
        )

    def _confirmed(self, item: Stored, checked: Checked, now: float) -> bool:
        apart = CONFIRMED if checked.items or checked.gone else CONFIRMED_BY_SILENCE
        return item.absent_since is not None and now - item.absent_since >= apart
