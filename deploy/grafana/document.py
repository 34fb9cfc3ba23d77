"""A board: rows of panels on Grafana's grid of 24 columns, with links to the other boards; and its JSON."""

from __future__ import annotations

import json
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.colours import BAD
from deploy.grafana.panels import DATASOURCE, Panel

COLUMNS = 24
TAG = "overheard"


class Row(NamedTuple):
    """Panels side by side, all of one height, of equal width unless ``widths`` says otherwise."""

    panels: tuple[Panel, ...]
    height: int = 8
    widths: tuple[int, ...] = ()


class Part(NamedTuple):
    """A heading and the rows under it."""

    title: str
    rows: tuple[Row, ...]


def board(uid: str, title: str, says: str, *parts: Part) -> build.Dashboard:
    """The dashboard, every panel with its place and number."""
    made = (
        build.Dashboard(f"Overheard / {title}")
        .uid(uid)
        .description(says)
        .tags([TAG])
        .time("now-6h", "now")
        .timezone("browser")
        .refresh("30s")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(_others())
        .annotation(_alerts())
    )
    y, number = 0, 0
    for part in parts:
        number += 1
        made.with_row(build.Row(part.title).id(number).grid_pos(model.GridPos(h=1, w=COLUMNS, x=0, y=y)))
        y += 1
        for row in part.rows:
            x = 0
            for panel, width in zip(row.panels, _widths(row), strict=True):
                number += 1
                made.with_panel(panel.id(number).grid_pos(model.GridPos(h=row.height, w=width, x=x, y=y)))
                x += width
            y += row.height
    return made


def as_json(made: build.Dashboard) -> str:
    """As Grafana imports it, and as a diff reads well."""
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _widths(row: Row) -> tuple[int, ...]:
    return row.widths or (COLUMNS // len(row.panels),) * len(row.panels)


def _others() -> build.DashboardLink:
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
