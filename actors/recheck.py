"""recheck: asks sources about what is stored of them, and erases what is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from actors.context import Context
from overheard.bus.actor import StageWork
from overheard.clock import Clock
from overheard.config import RecheckSettings
from overheard.db import erasure, rechecks, retention
from overheard.db.database import Db
from overheard.db.rechecks import EARLY_FRACTION, RECHECK_LEASE_SECONDS, URGENT_FRACTION, ItemToRecheck, RecheckBatch
from overheard.errors import BudgetExhausted, PermanentError, RetryableError, Unavailable
from overheard.messages import RecheckItems
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later, Outcome, Rejected
from overheard.permits import BudgetNeed, SparePermit
from overheard.sending import Send
from overheard.sources import ItemLookup, LookupResult
from overheard.sources.registry import lookup_sizes, request_budget

log = get_logger(__name__)

HOUR = 3600.0
NO_BUDGET_PAUSE_SECONDS = 30.0  # seconds for which items are left alone when the budget had nothing for them
FAULT_RETRY_SECONDS = 60.0  # … and after a fault of the source's, unless it names a time
# An answer that leaves an item out is no proof: a private place looks like that, and so do faults. It has to be
# left out twice, so far apart; farther when the answer shows nothing at all of what was asked.
ABSENCE_CONFIRM_SECONDS = 6 * HOUR
EMPTY_ANSWER_CONFIRM_SECONDS = 24 * HOUR


def work(context: Context) -> StageWork:
    """The stage's work. It needs its source's budget, and for what is urgent a share of it."""
    rechecker = Rechecker(
        db=context.db,
        sources={name: source for name, source in context.sources().items() if isinstance(source, ItemLookup)},
        send=context.send,
        clock=context.clock,
        rules=context.config.recheck,
        metrics=context.metrics,
    )

    def need(message: RecheckItems) -> BudgetNeed | None:
        budget = request_budget(message.source, context.config)
        return None if budget is None else BudgetNeed(budget.key, share=budget.recheck_key)

    return StageWork(rechecker.recheck, need)


class Rechecker:
    """What the stage works with. ``sources`` are those that can look items up, by name."""

    def __init__(
        self,
        *,
        db: Db,
        sources: Mapping[str, ItemLookup],
        send: Send,
        clock: Clock,
        rules: RecheckSettings,
        metrics: ProcessMetrics,
    ) -> None:
        self.db = db
        self.sources = sources
        self.send = send
        self.clock = clock
        self.within = rules.within_hours * HOUR
        self.metrics = metrics

    def recheck(self, message: RecheckItems, permit: SparePermit) -> Outcome:
        """Ask about the message's items, or about the next that are due, and act on the answer.

        1. items that nobody mentions any more go without being asked about;
        2. what the source says is deleted or removed is erased, with its author, wherever it stands;
        3. what it says nothing of is erased when that is confirmed (see CONFIRMED);
        4. an author without an account is taken off all that is stored; what was edited is stored as it is now.

        What can wait never makes a fetch wait: it uses what the budget has to spare, and else is left to a later
        tick. Urgent is what has not been asked about for URGENT of its time: that may also reserve slots, as often
        as the share of rechecks allows. A fault of the source's, whatever it is, erases nothing: the items are asked
        about later, and no message dies of it. Later when a slot is reserved; raises Unavailable (bus, database).
        """
        if message.source not in self.sources:
            return Rejected(f"{message.source} cannot look items up")
        stored, lease = self._claimed(message)
        ids = [item.id for item in stored]
        if not stored:
            return None
        now = self.clock()
        permit.urgent = min(item.checked_at for item in stored) <= now - URGENT_FRACTION * self.within
        try:
            checked = self.sources[message.source].look_up([item.ref for item in stored], permit)
        except BudgetExhausted as wait:
            if wait.slot is None:
                rechecks.hold(self.db, ids, lease, now + NO_BUDGET_PAUSE_SECONDS)
                log.debug("nothing to spare for a recheck", items=len(ids), urgent=permit.urgent)
                return None
            longer = now + wait.delay + RECHECK_LEASE_SECONDS
            rechecks.hold(self.db, ids, lease, longer)
            return Later.for_slot(wait, RecheckItems(source=message.source, item_ids=tuple(ids), lease=longer))
        except Unavailable:
            raise  # the database, where the budget is
        except (RetryableError, PermanentError) as fault:
            delay = max(getattr(fault, "delay", None) or FAULT_RETRY_SECONDS, FAULT_RETRY_SECONDS)
            rechecks.hold(self.db, ids, lease, now + delay)
            log.warning("recheck put off", items=len(ids), seconds=delay, reason=str(fault))
            return None
        self._settle(stored, checked)
        now = self.clock()
        if not message.item_ids and rechecks.due(self.db, message.source, now - EARLY_FRACTION * self.within, now):
            self.send(RecheckItems(source=message.source))
        return None

    def _claimed(self, message: RecheckItems) -> tuple[list[ItemToRecheck], float]:
        """The items to ask about, under our own lease."""
        now, source = self.clock(), message.source
        batch = RecheckBatch(source, message.item_ids, message.lease)
        if not message.item_ids:
            size, before = lookup_sizes()[source], now - EARLY_FRACTION * self.within
            claimed = rechecks.claim(self.db, source, size=size, before=before, now=now, requests=1)
            batch = claimed[0] if claimed else batch
        stored, lease = rechecks.take_over(self.db, batch, now)
        unwanted = [item.id for item in stored if not item.mentioned]
        if unwanted:
            gone = retention.unmentioned(self.db, unwanted)
            self.metrics.items_erased.labels("old").inc(gone)
        return [item for item in stored if item.mentioned], lease

    def _settle(self, stored: Sequence[ItemToRecheck], checked: LookupResult) -> None:
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
        erased = erasure.erase_items(self.db, [*gone, *lost], now, nameless=authors)
        changed = sum(rechecks.update_text(self.db, before, item) for before, item in shown)
        rechecks.mark_absent(self.db, [item.id for item in missing if item.id not in lost], now)
        rechecks.mark_present(self.db, [before.id for before, _ in shown], now)
        told = {*checked.gone, *checked.absent, *(item.id for item in checked.items)}
        rechecks.mark_unknown(self.db, [item.id for item in stored if item.ref not in told], now)
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

    def _confirmed(self, item: ItemToRecheck, checked: LookupResult, now: float) -> bool:
        apart = ABSENCE_CONFIRM_SECONDS if checked.items or checked.gone else EMPTY_ANSWER_CONFIRM_SECONDS
        return item.absent_since is not None and now - item.absent_since >= apart
