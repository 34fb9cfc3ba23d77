"""The kinds of panels on all boards: stat, time series, table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.colours import BAD, GOOD, NEUTRAL, WARN, colours
from deploy.grafana.queries import PanelQuery

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = stat.Panel | timeseries.Panel | table.Panel
AnyPanel = TypeVar("AnyPanel", stat.Panel, timeseries.Panel, table.Panel)
Unit = Literal["s", "short", "cps", "percentunit", "bytes", "reqps"]


class Thresholds(NamedTuple):
    """A value is orange from ``warn`` and red from ``bad`` upwards; with ``below``, downwards."""

    warn: float | None = None
    bad: float | None = None
    below: bool = False


ALWAYS_GOOD = Thresholds()


def stat_panel(
    title: str, description: str, unit: Unit, query: PanelQuery, thresholds: Thresholds = ALWAYS_GOOD
) -> Panel:
    """Return a panel with one current value, coloured by its thresholds; without a value, a dash that is not green.

    It is an instant query: of a range, the last value would stay on the screen, green, long after the process that
    exported it has died. That is why there is no sparkline.
    """
    return (
        _with_basics(stat.Panel(), title, description, unit, thresholds)
        .decimals(1 if unit == "percentunit" else 0)
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .mappings([_no_value()])
        .with_target(_target(query, "A").instant())
    )


def timeseries_panel(
    title: str,
    description: str,
    unit: Unit,
    queries: Sequence[PanelQuery] | PanelQuery,
    thresholds: Thresholds = ALWAYS_GOOD,
    *,
    stacked: bool = False,
    axis_max: float | None = None,
) -> Panel:
    """Return a panel of series over time. Thresholds are dashed lines; ``axis_max`` is the end of the axis."""
    panel = (
        _with_basics(timeseries.Panel(), title, description, unit, thresholds)
        .min(0)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(_style(thresholds)))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if axis_max is not None:
        panel.max(axis_max)
    for letter, query in zip("ABCDEFGH", [queries] if isinstance(queries, PanelQuery) else queries, strict=False):
        panel.with_target(_target(query, letter))
        for name, colour in colours(query.legend).items():
            panel.override_by_name(name, [_fixed(colour)])
    return panel


def table_panel(title: str, description: str, query: PanelQuery) -> Panel:
    """Return a table of the current series, one per row, with their labels as columns."""
    dropped = dict.fromkeys(["Time", "Value", "__name__", "job"], True)
    organise = model.DataTransformerConfig(id_val="organize", options={"excludeByName": dropped})
    return (
        _with_basics(table.Panel(), title, description, "short", ALWAYS_GOOD)
        .with_target(_target(query, "A").instant().format(PromQueryFormat.TABLE))
        .with_transformation(organise)
    )


def _with_basics(panel: AnyPanel, title: str, description: str, unit: Unit, thresholds: Thresholds) -> AnyPanel:
    panel.title(title).description(description).datasource(DATASOURCE).unit(unit).thresholds(
        _thresholds(thresholds)
    ).no_value("–")
    return panel


def _target(query: PanelQuery, letter: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter).range()


def _no_value() -> model.SpecialValueMap:
    # Without this, Grafana gives a missing value the colour of the lowest step.
    dash = model.ValueMappingResult(text="–", color=NEUTRAL)
    match = model.SpecialValueMatch.NULL_AND_NAN
    return model.SpecialValueMap(model.DashboardSpecialValueMapOptions(match=match, result=dash))


def _thresholds(thresholds: Thresholds) -> build.ThresholdsConfig:
    worse = [(value, colour) for value, colour in ((thresholds.warn, WARN), (thresholds.bad, BAD)) if value is not None]
    values, colours = [value for value, _ in worse], [GOOD, *(colour for _, colour in worse)]
    if thresholds.below:  # Grafana's steps ascend: a step's colour holds from its value upwards
        values.reverse()
        colours.reverse()
    marks = [model.Threshold(*mark) for mark in zip([None, *values], colours, strict=True)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(marks)


def _style(thresholds: Thresholds) -> GraphTresholdsStyleMode:
    marked = thresholds.warn is not None or thresholds.bad is not None
    return GraphTresholdsStyleMode.DASHED if marked else GraphTresholdsStyleMode.OFF


def _fixed(colour: str) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs([])
    )
