"""The few kinds of panels that all boards are made of: numbers, curves, tables."""

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

from deploy.grafana.colours import BAD, GOOD, QUIET, WARN, colours
from deploy.grafana.queries import PanelQuery

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = stat.Panel | timeseries.Panel | table.Panel
AnyPanel = TypeVar("AnyPanel", stat.Panel, timeseries.Panel, table.Panel)
Unit = Literal["s", "short", "cps", "percentunit", "bytes", "reqps"]


class Thresholds(NamedTuple):
    """From ``warn`` on a value is orange, from ``bad`` on red; ``low``: below them, instead."""

    warn: float | None = None
    bad: float | None = None
    low: bool = False


ALWAYS_GOOD = Thresholds()


def number(title: str, says: str, unit: Unit, query: PanelQuery, steps: Thresholds = ALWAYS_GOOD) -> Panel:
    """One figure, as it is now, coloured by its thresholds; where nobody knows it, a dash that is not green.

    Asked for this moment alone: the last value of a course would stay on the wall, green, for as long as the course
    reaches back, after whoever showed it has died. So there is no small curve behind it.
    """
    return (
        _begun(stat.Panel(), title, says, unit, steps)
        .decimals(1 if unit == "percentunit" else 0)
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .mappings([_unknown()])
        .with_target(_target(query, "A").instant())
    )


def curves(
    title: str,
    says: str,
    unit: Unit,
    queries: Sequence[PanelQuery] | PanelQuery,
    steps: Thresholds = ALWAYS_GOOD,
    *,
    stacked: bool = False,
    most: float | None = None,
) -> Panel:
    """Curves over time. Thresholds are dashed lines, ``most`` is the axis' end."""
    panel = (
        _begun(timeseries.Panel(), title, says, unit, steps)
        .min(0)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(_style(steps)))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if most is not None:
        panel.max(most)
    for letter, query in zip("ABCDEFGH", [queries] if isinstance(queries, PanelQuery) else queries, strict=False):
        panel.with_target(_target(query, letter))
        for name, colour in colours(query.legend).items():
            panel.override_by_name(name, [_fixed(colour)])
    return panel


def listing(title: str, says: str, query: PanelQuery) -> Panel:
    """A table of the series that there are now, one a row, their labels as columns."""
    dropped = dict.fromkeys(["Time", "Value", "__name__", "job"], True)
    organise = model.DataTransformerConfig(id_val="organize", options={"excludeByName": dropped})
    return (
        _begun(table.Panel(), title, says, "short", ALWAYS_GOOD)
        .with_target(_target(query, "A").instant().format(PromQueryFormat.TABLE))
        .with_transformation(organise)
    )


def _begun(panel: AnyPanel, title: str, says: str, unit: Unit, steps: Thresholds) -> AnyPanel:
    panel.title(title).description(says).datasource(DATASOURCE).unit(unit).thresholds(_thresholds(steps)).no_value("–")
    return panel


def _target(query: PanelQuery, letter: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter).range()


def _unknown() -> model.SpecialValueMap:
    # Without it, Grafana gives what is no number the colour of the lowest step.
    dash = model.ValueMappingResult(text="–", color=QUIET)
    match = model.SpecialValueMatch.NULL_AND_NAN
    return model.SpecialValueMap(model.DashboardSpecialValueMapOptions(match=match, result=dash))


def _thresholds(steps: Thresholds) -> build.ThresholdsConfig:
    worse = [(value, colour) for value, colour in ((steps.warn, WARN), (steps.bad, BAD)) if value is not None]
    values, colours = [value for value, _ in worse], [GOOD, *(colour for _, colour in worse)]
    if steps.low:  # Grafana's steps rise: the colour of a step holds from its value on
        values.reverse()
        colours.reverse()
    marks = [model.Threshold(*mark) for mark in zip([None, *values], colours, strict=True)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(marks)


def _style(steps: Thresholds) -> GraphTresholdsStyleMode:
    marked = steps.warn is not None or steps.bad is not None
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
