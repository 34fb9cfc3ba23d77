"""A dashboard: rows of panels on Grafana's grid of 24 columns, with links to the other boards; and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import count

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.colours import BAD
from deploy.grafana.panels import DATASOURCE, Panel

COLUMNS = 24
PANELS_PER_ROW = (1, 2, 3, 4, 6, 8)  # divisors of COLUMNS; a table counts twice; more panels would be too narrow
TAG = "overheard"

# The heading of a section that Grafana repeats for each source that is watched.
REPEATED_BY_SOURCE = "$source"
WATCHED_SOURCES = 'label_values(overheard_source_up{job="overheard"}, source)'

DashboardRow = tuple[Panel, ...]  # side by side


def dashboard(
    uid: str, title: str, description: str, sections: Mapping[str, Sequence[DashboardRow]]
) -> build.Dashboard:
    """Return the dashboard with every panel placed and numbered; ``sections`` are headings with their rows.

    The section REPEATED_BY_SOURCE is repeated for each source; its queries use ``$source``. It has to be the last one.
    """
    builder = (
        build.Dashboard(f"Overheard / {title}")
        .uid(uid)
        .description(description)
        .tags([TAG])
        .time("now-6h", "now")
        .timezone("browser")
        .refresh("30s")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(_links_to_other_boards())
        .annotation(_alerts())
    )
    if REPEATED_BY_SOURCE in sections:
        builder.with_variable(_sources())
    y, number = 0, count(1)
    for heading, rows in sections.items():
        section = build.Row(heading).id(next(number)).grid_pos(model.GridPos(h=1, w=COLUMNS, x=0, y=y))
        builder.with_row(section.repeat("source") if heading == REPEATED_BY_SOURCE else section)
        y += 1
        for row in rows:
            height = 4 if all(isinstance(panel, stat.Panel) for panel in row) else 8
            x = 0
            for panel, width in zip(row, _widths(row, heading), strict=True):
                builder.with_panel(panel.id(next(number)).grid_pos(model.GridPos(h=height, w=width, x=x, y=y)))
                x += width
            y += height
    return builder


def as_json(builder: build.Dashboard) -> str:
    """Return the JSON that Grafana imports, indented and sorted for readable diffs."""
    return json.dumps(builder.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _widths(row: DashboardRow, heading: str) -> list[int]:
    """Return the panels' widths: a table is twice as wide as the other panels of its row.

    Raises ValueError for a row that would not fill the grid.
    """
    shares = [2 if isinstance(panel, table.Panel) else 1 for panel in row]
    if sum(shares) not in PANELS_PER_ROW:
        raise ValueError(
            f"a row under {heading!r} has {sum(shares)} panels, which do not fill the grid: a row has "
            f"{', '.join(map(str, PANELS_PER_ROW))}, where a table counts twice"
        )
    return [COLUMNS * share // sum(shares) for share in shares]


def _sources() -> build.QueryVariable:
    every = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        build.QueryVariable("source")
        .label("Source")
        .datasource(DATASOURCE)
        .query(WATCHED_SOURCES)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .current(every)
    )


def _links_to_other_boards() -> build.DashboardLink:
    return (
        build.DashboardLink("Boards")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .keep_time(True)
        .include_vars(True)
        .icon("external link")
        .tooltip("The other boards of Overheard")
    )


def _alerts() -> build.AnnotationQuery:
    return (
        build.AnnotationQuery()
        .name("Alerts")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(BAD)
        .expr('ALERTS{alertstate="firing", alertname!="Watchdog", severity="critical"}')
    )
