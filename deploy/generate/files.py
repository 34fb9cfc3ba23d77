"""All generated files, by their path in the checkout."""

from __future__ import annotations

from deploy.generate.blocks import files_with_blocks
from deploy.generate.metrics_page import page
from deploy.grafana.boards import BOARDS
from deploy.grafana.document import as_json

FOLDER = "deploy/grafana/dashboards"


def generated() -> dict[str, str]:
    """Return the text of each file by its path."""
    boards = {f"{FOLDER}/{uid.removeprefix('overheard-')}.json": as_json(build()) for uid, build in BOARDS.items()}
    return {"docs/metrics.md": page(), **boards, **dict(files_with_blocks())}
