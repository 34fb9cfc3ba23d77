"""Why a workspace got a message, or did not: the way of an item from its reading to the receivers' answers.

``way_of_mention`` tells it from what is stored; ``way_without_mention`` finds out where the way ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from overheard.db import delivery_history, mention_ways, workspaces
from overheard.db.database import Db
from overheard.db.mention_ways import ItemNames, WayMention
from overheard.db.models import Workspace
from overheard.operations.way_of_mention import MentionWays
from overheard.operations.way_step import Way
from overheard.operations.way_without_mention import AbsentWays
from overheard.sources.registry import SOURCES

AROUND_SECONDS = 600.0  # before and after the time that is asked about
MAX_MENTIONS = 50
MENTION_ID = re.compile(r"[1-9][0-9]{0,18}")
ITEM_MAX_CHARS = 2000  # of an id or address that was typed


class WhyAnswer(msgspec.Struct, frozen=True):
    """The ways, and the workspace's time zone. ``more``: there are further mentions, which are not told."""

    timezone: str
    ways: tuple[Way, ...]
    since: float | None = None
    until: float | None = None
    more: bool = False


def of_item(db: Db, slug: str, text: str, now: float) -> WhyAnswer:
    """Tell the way of an item: by its source's id, a mention's id, or the address of its page. Raises NotFound."""
    workspace = workspaces.by_name(db, slug)
    names = names_of(text[:ITEM_MAX_CHARS].strip())
    found = mention_ways.of_item(db, workspace.id, names)
    ways = _ways(db, workspace, found, now) if found else AbsentWays(db, workspace, now).of_item(text, names)
    return WhyAnswer(workspace.timezone, tuple(ways))


def around(db: Db, slug: str, moment: float, now: float) -> WhyAnswer:
    """Tell the ways of the mentions around a time; if there are none, how the reading went. Raises NotFound."""
    workspace = workspaces.by_name(db, slug)
    since, until = moment - AROUND_SECONDS, moment + AROUND_SECONDS
    found = mention_ways.around(db, workspace.id, since, until, MAX_MENTIONS + 1)
    shown = found[:MAX_MENTIONS]
    ways = _ways(db, workspace, shown, now) if shown else [AbsentWays(db, workspace, now).quiet_time(since, until)]
    return WhyAnswer(workspace.timezone, tuple(ways), since, until, more=len(found) > len(shown))


def names_of(text: str) -> ItemNames:
    """Return what a text may name: every source is asked what item's page an address is."""
    pages = [found for source in SOURCES.values() if (found := source.item_of_url(text))]
    number = int(text) if MENTION_ID.fullmatch(text) else None
    return ItemNames(
        refs=tuple(dict.fromkeys([*pages, text])),
        mention_id=number if number is not None and number < 2**63 else None,
        permalinks=tuple(_addresses(text)) if "://" in text else (),
    )


def _addresses(url: str) -> Iterator[str]:
    """Yield the forms in which the address of a page may be stored."""
    bare = url.partition("#")[0]
    for form in dict.fromkeys((url, bare, bare.partition("?")[0])):
        yield form
        yield form.removesuffix("/") if form.endswith("/") else f"{form}/"


def _ways(db: Db, workspace: Workspace, found: list[WayMention], now: float) -> list[Way]:
    own = list(delivery_history.of_mentions(db, [mention.id for mention in found]))
    bundles = {key: row for key in {bundle for _, bundle, _ in own if bundle} if (row := delivery_history.get(db, key))}
    tries = delivery_history.tries(db, [*(row.id for _, _, row in own), *bundles])
    ways = MentionWays(
        workspace=workspace,
        channels=mention_ways.channels(db, workspace.id),
        watches=mention_ways.watches(db, workspace.id),
        bundles=bundles,
        tries=tries,
        now=now,
    )
    return [ways.way(mention, [(bundle, row) for key, bundle, row in own if key == mention.id]) for mention in found]
