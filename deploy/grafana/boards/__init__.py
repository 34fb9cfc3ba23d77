"""The boards by their uids, which links and bookmarks rely on. A new board is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.boards import delivery, overview, reddit, sources, stages

BOARDS: dict[str, Callable[[], Dashboard]] = {
    "overheard-overview": overview.build,
    "overheard-stages": stages.build,
    "overheard-sources": sources.build,
    "overheard-reddit": reddit.build,
    "overheard-delivery": delivery.build,
}
