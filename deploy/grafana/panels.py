"""The few kinds of panels that all boards are made of: numbers, curves, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

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

from deploy.grafana.colours import BAD, GOOD, QUIET, WARN

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = stat.Panel | timeseries.Panel | table.Panel
Unit = Literal["s", "short", "cps", "percentunit", "bytes", "reqps", "dateTimeFromNow"]


class Query(NamedTuple):
    """A PromQL expression; ``legend`` names its series, ``{{label}}`` stands for a label's value."""

    expr: str
    legend: str = "{{__name__}}"


class Steps(NamedTuple):
    """From ``warn`` on a value is orange, from ``bad`` on red; ``low``: below them, instead."""

    warn: float | None = None
    bad: float | None = None
    low: bool = False


ALWAYS_GOOD = Steps()


def number(title: str, says: str, unit: Unit, query: Query, steps: Steps, *, decimals: int | None = None) -> Panel:
    """One figure, as it is now, coloured by its thresholds; where nobody knows it, a dash that is not green.

    Asked for this moment alone: the last value of a course would stay on the wall, green, for as long as the course
    reaches back, after whoever showed it has died. So there is no small curve behind it.
    """
    panel = (
        stat.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .unit(unit)
        .thresholds(_thresholds(steps))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .no_value("–")
        .mappings([_unknown()])
        .with_target(_target(query, "A").instant())
    )
    return panel if decimals is None else panel.decimals(decimals)


def curves(
    title: str,
    says: str,
    unit: Unit,
    queries: Sequence[Query] | Query,
    steps: Steps = ALWAYS_GOOD,
    *,
    colours: Mapping[str, str] | None = None,
    stacked: bool = False,
    most: float | None = None,
) -> Panel:
    """Curves over time. Thresholds are dashed lines; ``colours`` are for series by name, ``most`` is the axis' end."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .thresholds(_thresholds(steps))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(_style(steps)))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .no_value("–")
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if most is not None:
        panel.max(most)
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, [_fixed(colour)])
    for letter, query in zip("ABCDEFGH", [queries] if isinstance(queries, Query) else queries, strict=False):
        panel.with_target(_target(query, letter))
    return panel


def listing(title: str, says: str, query: Query, *, hide: Sequence[str]) -> Panel:
    """A table of the series that there are now, one a row, their labels as columns."""
    dropped = dict.fromkeys(["Time", "Value", "__name__", *hide], True)
    organise = model.DataTransformerConfig(id_val="organize", options={"excludeByName": dropped})
    return (
        table.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .unit("short")
        .thresholds(_thresholds(ALWAYS_GOOD))
        .no_value("–")
        .with_target(_target(query, "A").instant().format(PromQueryFormat.TABLE))
        .with_transformation(organise)
    )


def _target(query: Query, letter: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter).range()


def _unknown() -> model.SpecialValueMap:
    # Without it, Grafana gives what is no number the colour of the lowest step.
    dash = model.ValueMappingResult(text="–", color=QUIET)
    match = model.SpecialValueMatch.NULL_AND_NAN
    return model.SpecialValueMap(model.DashboardSpecialValueMapOptions(match=match, result=dash))


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    worse = [(value, colour) for value, colour in ((steps.warn, WARN), (steps.bad, BAD)) if value is not None]
    if steps.low:
        # Grafana's steps rise: the colour of a step holds from its value on.
        falling = sorted(worse, reverse=True)
        colours = [GOOD, *(colour for _, colour in falling)]
        rising = [(value, colours[place]) for place, (value, _) in enumerate(falling)]
        marks = [model.Threshold(None, colours[-1]), *(model.Threshold(*each) for each in reversed(rising))]
    else:
        marks = [model.Threshold(None, GOOD), *(model.Threshold(*each) for each in worse)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(marks)


def _style(steps: Steps) -> GraphTresholdsStyleMode:
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
