"""The boards' queries: maxima of the tick's gauges, rates of counters, quantiles of histograms."""

from __future__ import annotations

from typing import NamedTuple

QUANTILES = {"half": 0.5, "95 %": 0.95, "99 %": 0.99}


class PanelQuery(NamedTuple):
    """A PromQL expression. ``legend`` names its series; ``{{label}}`` is replaced by the label's value."""

    expr: str
    legend: str = "{{__name__}}"


def gauge_max(gauge: str, legend: str = "", *, by: str = "", where: str = "") -> PanelQuery:
    """Return a gauge of the whole system: the maximum, because every running tick exports all of it."""
    return _aggregated("max", _chosen(gauge, where), by, legend)


def time_since(moment: str, legend: str = "", *, where: str = "") -> PanelQuery:
    """Return the seconds since a timestamp that the tick exports; nothing while it is 0."""
    return PanelQuery(f"time() - max({_chosen(moment, where)} > 0)", *filter(None, [legend]))


def rate(counter: str, legend: str = "", *, by: str = "", where: str = "") -> PanelQuery:
    """Return the rate of a counter per second, over all processes."""
    return _aggregated("sum", f"rate({_chosen(counter, where)}[$__rate_interval])", by, legend)


def increase(counter: str, over: str, legend: str = "", *, by: str = "", where: str = "") -> PanelQuery:
    """Return the increase of a counter within the duration ``over``, over all processes."""
    return _aggregated("sum", f"increase({_chosen(counter, where)}[{over}])", by, legend)


def quantiles(histogram: str, where: str = "") -> tuple[PanelQuery, ...]:
    """Return the median, the 95th and the 99th percentile of a histogram."""
    return tuple(PanelQuery(_quantile(share, histogram, "le", where), name) for name, share in QUANTILES.items())


def quantile_by(share: float, histogram: str, label: str) -> PanelQuery:
    """Return one quantile for each value of ``label``."""
    return PanelQuery(_quantile(share, histogram, f"le, {label}"), _legend(label))


def _quantile(share: float, histogram: str, labels: str, where: str = "") -> str:
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', by=labels, where=where).expr})"


def _aggregated(operator: str, expr: str, by: str, legend: str) -> PanelQuery:
    if not by:
        return PanelQuery(f"{operator}({expr})", *filter(None, [legend]))
    return PanelQuery(f"{operator} by ({by}) ({expr})", legend or _legend(by))


def _chosen(series: str, where: str) -> str:
    return f'{series}{{job="overheard"{where and ", " + where}}}'


def _legend(label: str) -> str:
    return f"{{{{{label}}}}}"
