"""Deliveries: one in full, and retries by hand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import msgspec

from overheard.db import channels, delivery_history, workspaces
from overheard.db.database import Db
from overheard.db.delivery_history import (
    RETRIED_STATES,
    DeliveryFilter,
    DeliveryMember,
    DeliveryRow,
    DeliveryTry,
)
from overheard.db.models import BUNDLED, FAILED, PENDING, SENT
from overheard.errors import NotFound
from overheard.operations.mention_filters import require_query

ID_SHOWN_CHARS = 100


class DeliveryDetails(msgspec.Struct, frozen=True):
    """A delivery in full. ``bundled_into``: the summary, digest or message that has taken it in."""

    row: DeliveryRow
    tries: tuple[DeliveryTry, ...]
    members: tuple[DeliveryMember, ...]
    bundled_into: DeliveryRow | None


class RetriedDelivery(msgspec.Struct, frozen=True):
    """A delivery after a retry by hand, and why it was ``refused``; None: it is pending now."""

    row: DeliveryRow
    refused: str | None = None


def check(db: Db, which: DeliveryFilter) -> None:
    """Raise NotFound if the filter names a workspace, query or channel that there is not."""
    if which.workspace is not None:
        workspaces.by_name(db, which.workspace)
    if which.query is not None:
        require_query(db, which.workspace, which.query)
    if which.channel is not None:
        names = sorted({row.name for row in channels.listing(db, which.workspace)})
        if which.channel not in names:
            existing = f"there are: {', '.join(names[:10])}" if names else "there are none"
            raise NotFound(f"no channel is called {which.channel[:ID_SHOWN_CHARS]!r}; {existing}")


def details(db: Db, delivery_id: str) -> DeliveryDetails:
    """Return a delivery in full. Raises NotFound."""
    row = _get(db, delivery_id)
    bundle = delivery_history.bundle_of(db, row.id)
    return DeliveryDetails(
        row,
        tuple(delivery_history.tries(db, [row.id])[row.id]),
        tuple(delivery_history.members(db, row.id)),
        None if bundle is None else delivery_history.get(db, bundle),
    )


def retry(db: Db, delivery_id: str, now: float) -> RetriedDelivery:
    """Make a failed, held or muted delivery pending now. What was sent is refused, with the reason. Raises NotFound.

    The tick finds it there: nothing has to be told to the notify stage.
    """
    changed = delivery_history.make_due(db, delivery_id, now)
    row = _get(db, delivery_id)
    return RetriedDelivery(row, None if changed or row.state == PENDING else _refusal(db, row))


def retry_all(db: Db, which: DeliveryFilter, now: float) -> Iterator[RetriedDelivery]:
    """Retry the failed, held and muted ones that fit the filter, or those in its state."""
    states = RETRIED_STATES if which.state is None else (which.state,)
    listings = (delivery_history.listing(db, msgspec.structs.replace(which, state=state)) for state in states)
    for row in list(chain.from_iterable(listings)):
        yield retry(db, row.id, now)


def _refusal(db: Db, row: DeliveryRow) -> str:
    if row.state == SENT:
        return "it was sent already: a receiver would get it twice"
    if row.state == BUNDLED:
        bundle = delivery_history.bundle_of(db, row.id)
        container = None if bundle is None else delivery_history.get(db, bundle)
        if container is None:
            return "it is part of another message, which is not stored any more"
        if container.state == FAILED:
            return f"it is part of {container.id}, which failed: retry that one"
        return f"it is part of {container.id}, which is {container.state}"
    return (
        f"channel {row.channel} of {row.workspace} is disabled; enable it first (overheard channel enable), which sends"
        " what waits for it"
    )


def _get(db: Db, delivery_id: str) -> DeliveryRow:
    row = delivery_history.get(db, delivery_id)
    if row is None:
        raise NotFound(
            f"no delivery {delivery_id[:ID_SHOWN_CHARS]!r} (see `overheard deliveries list`); those of erased items,"
            " and of a while ago, are deleted"
        )
    return row
