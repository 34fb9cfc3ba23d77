"""recheck: look stored items up at their source again; erase those that are gone, and match edited ones again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import msgspec

from actors.context import Context
from overheard.bus.actor import StageWork
from overheard.chunking import parts_of_page
from overheard.clock import Clock
from overheard.config import RecheckSettings
from overheard.db import erasure, polls, rechecks, retention
from overheard.db.database import Db
from overheard.db.rechecks import EARLY_FRACTION, RECHECK_LEASE_SECONDS, URGENT_FRACTION, ItemToRecheck, RecheckBatch
from overheard.errors import BudgetExhausted, PermanentError, RetryableError, Unavailable
from overheard.items import Item
from overheard.messages import RecheckItems
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later, Outcome, Rejected
from overheard.permits import BudgetNeed, SparePermit
from overheard.sending import Send
from overheard.sources import ItemLookup, LookupResult, Page
from overheard.sources.registry import lookup_sizes, request_budget

log = get_logger(__name__)

HOUR = 3600.0
# Chosen, not measured: rechecks have hours, so a busy budget or a failing source is simply left alone for a while.
NO_BUDGET_PAUSE_SECONDS = 30.0  # for which items are left alone if the budget has no spare token
FAULT_RETRY_SECONDS = 60.0  # after an error of the source, unless the error names a longer time
# A response that omits an item proves nothing: items of a private place are omitted too, and faults omit some. So an
# item has to be omitted twice, this far apart; farther if the response shows none at all of the requested items.
ABSENCE_CONFIRM_SECONDS = 6 * HOUR
EMPTY_ANSWER_CONFIRM_SECONDS = 24 * HOUR
EDIT_CONFIRM_SECONDS = HOUR  # until an edited item is looked up again; chosen, not measured


def work(context: Context) -> StageWork:
    """Return the stage's work. It needs its source's budget, and a share of it for urgent items."""
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
    """The recheck stage's handler. ``sources`` maps a name to each source that can look items up."""

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
        self.within_seconds = rules.within_hours * HOUR
        self.metrics = metrics

    def recheck(self, message: RecheckItems, permit: SparePermit) -> Outcome:
        """Look up the message's items, or the next that are due, and apply the result.

        1. Items without mentions are erased without a request.
        2. Items that the source reports as deleted or removed are erased, with their author, wherever they are stored.
        3. Items that the response omits are erased once that is confirmed (see ABSENCE_CONFIRM_SECONDS).
        4. An author whose account is gone is removed from everything stored. Edited items are sent to match, like items
           that were read, and looked up again soon: if the text is then still another, the message was lost.

        A recheck that can wait never delays a fetch: it takes only spare tokens of the budget, and is otherwise left
        to a later tick. Items not looked up for URGENT_FRACTION of their time may also reserve slots, as often as the
        recheck share allows. An error of the source erases nothing and makes no dead letter: the items are looked up
        later.

        Return Later when a slot was reserved. Raise Unavailable (bus or database).
        """
        if message.source not in self.sources:
            return Rejected(f"{message.source} cannot look items up")
        stored, held_until = self._claim(message)
        ids = [item.id for item in stored]
        if not stored:
            return None
        now = self.clock()
        permit.urgent = min(item.checked_at for item in stored) <= now - URGENT_FRACTION * self.within_seconds
        try:
            result = self.sources[message.source].look_up([item.lookup or item.ref for item in stored], permit)
        except BudgetExhausted as exhausted:
            if exhausted.slot is None:
                rechecks.postpone(self.db, ids, held_until, now + NO_BUDGET_PAUSE_SECONDS)
                log.debug("no spare budget for recheck", items=len(ids), urgent=permit.urgent)
                return None
            # The lease outlasts the wait, so that the tick does not claim the items again meanwhile.
            until = now + exhausted.delay + RECHECK_LEASE_SECONDS
            rechecks.postpone(self.db, ids, held_until, until)
            return Later.for_slot(exhausted, RecheckItems(source=message.source, item_ids=tuple(ids), lease=until))
        except Unavailable:
            raise  # our database, which holds the budget: not an error of the source
        except (RetryableError, PermanentError) as error:
            delay = max(getattr(error, "delay", None) or FAULT_RETRY_SECONDS, FAULT_RETRY_SECONDS)
            rechecks.postpone(self.db, ids, held_until, now + delay)
            log.warning("recheck postponed", items=len(ids), seconds=delay, reason=str(error))
            return None
        self._apply(stored, result, held_until)
        now = self.clock()
        # A message with ids is one batch of the tick, which claims further batches itself. Without ids it was sent by
        # hand and means everything that is due: one message follows the other, so that each waits for its budget.
        before = now - EARLY_FRACTION * self.within_seconds
        if not message.item_ids and rechecks.due(self.db, message.source, before, now):
            self.send(RecheckItems(source=message.source))
        return None

    def _claim(self, message: RecheckItems) -> tuple[list[ItemToRecheck], float]:
        """Claim the items to look up; return them with the end of their lease. Items without mentions are erased."""
        now, source = self.clock(), message.source
        batch = RecheckBatch(source, message.item_ids, message.lease)
        if not message.item_ids:
            size, before = lookup_sizes()[source], now - EARLY_FRACTION * self.within_seconds
            claimed = rechecks.claim(self.db, source, size=size, before=before, now=now, requests=1)
            batch = claimed[0] if claimed else batch
        stored, held_until = rechecks.take_over(self.db, batch, now)
        # Only mentions make an item worth a request: it is not shown or sent anywhere else.
        unwanted = [item.id for item in stored if not item.mentioned]
        if unwanted:
            gone = retention.unmentioned(self.db, unwanted)
            self.metrics.items_erased.labels("old").inc(gone)
        return [item for item in stored if item.mentioned], held_until

    def _apply(self, stored: Sequence[ItemToRecheck], result: LookupResult, held_until: float) -> None:
        now = self.clock()
        by_ref = {item.ref: item for item in stored}
        gone = [by_ref[ref].id for ref in result.gone if ref in by_ref]
        missing = [by_ref[ref] for ref in result.absent if ref in by_ref]
        confirmed = [item.id for item in missing if self._is_confirmed(item, result, now)]
        shown = [(by_ref[item.id], item) for item in result.items if item.id in by_ref]
        authors = {
            (before.source, before.author)
            for before, item in shown
            if before.author is not None and item.author is None
        }
        erased = erasure.erase_items(self.db, [*gone, *confirmed], now, nameless=authors)
        changed = {before.id: edit for before, item in shown if (edit := rechecks.as_edited(before, item, now))}
        self._send_edits(list(changed.values()))
        # Due as soon as it can be confirmed: some sources report no deletion in another way.
        unconfirmed = [item.id for item in missing if item.id not in confirmed]
        rechecks.mark_absent(self.db, unconfirmed, now, self._due_in(ABSENCE_CONFIRM_SECONDS))
        rechecks.mark_present(self.db, [before.id for before, _ in shown if before.id not in changed], now)
        rechecks.mark_present(self.db, list(changed), self._due_in(EDIT_CONFIRM_SECONDS))
        unanswered = [by_ref[ref].id for ref in result.unanswered if ref in by_ref]
        rechecks.postpone(self.db, unanswered, held_until, now + NO_BUDGET_PAUSE_SECONDS)
        accounted = {*result.gone, *result.absent, *result.unanswered, *(item.id for item in result.items)}
        rechecks.mark_unknown(self.db, [item.id for item in stored if item.ref not in accounted], now)
        self.metrics.items_rechecked.inc(len(stored) - len(unanswered))
        self.metrics.items_erased.labels("deleted").inc(erased.items)
        log.info(
            "rechecked",
            items=len(stored) - len(unanswered),
            absent=len(missing) - len(confirmed),
            changed=len(changed),
            accounts=len(authors),
            **{f"erased_{name}": count for name, count in msgspec.structs.asdict(erased).items() if count},
        )

    def _due_in(self, seconds: float) -> float:
        """Return when an item would have been checked that is due again so soon."""
        return self.clock() - max(EARLY_FRACTION * self.within_seconds - seconds, 0.0)

    def _send_edits(self, items: Sequence[Item]) -> None:
        """Send items with another text to match: store replaces the text, and stores what it matches now."""
        if not items:
            return
        poll = f"recheck-{uuid.uuid4().hex}"
        polls.begin(self.db, poll, self.clock())
        for part in parts_of_page(Page(items=tuple(items)), items[0].source, poll=poll):
            self.send(part)

    def _is_confirmed(self, item: ItemToRecheck, result: LookupResult, now: float) -> bool:
        required = ABSENCE_CONFIRM_SECONDS if result.items or result.gone else EMPTY_ANSWER_CONFIRM_SECONDS
        return item.absent_since is not None and now - item.absent_since >= required
