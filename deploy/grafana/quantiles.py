"""Quantiles of histograms, named alike on every board."""

from __future__ import annotations

from deploy.grafana.panels import Query

NAMED = {"half": 0.5, "95 %": 0.95, "99 %": 0.99}


def quantiles(histogram: str, matchers: str = "") -> tuple[Query, ...]:
    """Half, 95 % and 99 % of what ``histogram`` observed were at or below these."""
    return tuple(Query(_of(share, histogram, matchers, "le"), name) for name, share in NAMED.items())


def quantile_by(share: float, histogram: str, label: str, matchers: str = "") -> Query:
    """One quantile for each value of ``label``."""
    return Query(_of(share, histogram, matchers, f"le, {label}"), f"{{{{{label}}}}}")


def _of(share: float, histogram: str, matchers: str, labels: str) -> str:
    chosen = ", ".join(each for each in ('job="overheard"', matchers) if each)
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{chosen}}}[$__rate_interval])))"
