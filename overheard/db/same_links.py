"""Mentions that link to the same address: told once to a channel within a day, the others with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from peewee import Case, fn

from overheard.db.claim_candidates import ClaimCandidate
from overheard.db.compiled import among, compiled
from overheard.db.database import Db
from overheard.db.delivery_conditions import waiting
from overheard.db.models import BUNDLED, MENTION, PENDING, SENT, Delivery

SAME_LINK_SECONDS = 86_400.0  # for so long, a link that was told is not told again
TOLD_WITH = "told with"  # and the delivery's id: what ``held_by`` says of those that are bundled into it


def untold(
    db: Db, channel_id: int, found: Sequence[ClaimCandidate], now: float
) -> tuple[list[ClaimCandidate], frozenset[str]]:
    """Return the candidates without those whose link was told, or is another's, and the links that wait repeatedly.

    What waits with a link that was told within the day is bundled into that delivery.
    """
    links = sorted({each.untried_link for each in found if each.untried_link is not None})
    rows = _told(db, channel=channel_id, links=links, now=now, since=now - SAME_LINK_SECONDS) if links else []
    told = {link: delivery for link, delivery, _ in rows if delivery is not None}
    for link, delivery in told.items():
        bundle(db, channel_id, link, delivery, now)
    kept, seen = [], set(told)
    for each in sorted(found, key=lambda each: each.oldest_first):
        if each.untried_link in seen:
            continue
        kept.append(each)
        if each.untried_link is not None:
            seen.add(each.untried_link)
    return kept, frozenset(link for link, _, count in rows if count > 1)


def bundle(db: Db, channel_id: int, link: str, into: str, now: float) -> None:
    """Bundle the waiting mentions that link there into a delivery that was told, or is about to be."""
    Delivery.update(state=BUNDLED, bundle=into, held_by=f"{TOLD_WITH} {into}").where(
        Delivery.link == link, waiting(channel_id, now)
    ).execute(db.peewee)


def unbundle(db: Db, untried: Collection[str]) -> None:
    """Let what is bundled into these mentions' deliveries wait again: they were not tried, and may yet be folded."""
    Delivery.update(state=PENDING, bundle=None, held_by=None).where(
        Delivery.bundle.in_(list(untried)), Delivery.state == BUNDLED
    ).execute(db.peewee)


@compiled
def _told(db: Db, channel: Any, links: Any, now: Any, since: Any) -> Any:
    was_told = (Delivery.state == SENT) & (Delivery.kind == MENTION) & (Delivery.sent_at > since)
    told = fn.MAX(Case(None, [(Delivery.state == SENT, Delivery.id)], None))
    count = fn.SUM(Case(None, [(Delivery.state == PENDING, 1)], 0))
    return (
        Delivery.select(Delivery.link, told, count)
        .where(Delivery.channel == channel, among(Delivery.link, links), was_told | waiting(channel, now))
        .group_by(Delivery.link)
    )
