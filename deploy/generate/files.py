"""Every generated file by its path in the checkout."""

from __future__ import annotations

from deploy.generate.blocks import blocks
from deploy.generate.metrics_page import page
from deploy.grafana.boards import BOARDS
from deploy.grafana.document import as_json

FOLDER = "deploy/grafana/dashboards"


def generated() -> dict[str, str]:
    """Path → text."""
    boards = {f"{FOLDER}/{uid.removeprefix('overheard-')}.json": as_json(make()) for uid, make in BOARDS.items()}
    return {"docs/metrics.md": page(), **boards, **dict(blocks())}
