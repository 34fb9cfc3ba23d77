"""How fresh feeds are.

A reading makes all feeds of its group fresh. So it changes one row, that of the group, however many feeds there are; a
group that is read by numbers has thousands, and is read every few seconds. A feed's own row says how fresh it is only
where that differs: it was never read, is to be read again, or has joined the group.
"""

from __future__ import annotations

from typing import Any

from peewee import fn

from overheard.db.models import Feed, FeedGroup


def fresh_at() -> Any:
    """Return the SQL expression of the time until which everything of a feed is read; 0 if it was never read."""
    return fn.COALESCE(Feed.fresh_at, group_fresh_at(), 0.0)


def group_fresh_at() -> Any:
    """Return the SQL expression of the time until which everything of a feed's group is read."""
    group = FeedGroup.alias("its_group")  # the statement may join the group, too
    return group.select(group.fresh_at).where(group.id == Feed.group)
