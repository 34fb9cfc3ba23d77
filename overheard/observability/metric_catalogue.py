"""How series are defined: once, with all that `/metrics`, docs/metrics.md and the tests say of them.

A counter whose labels have known values begins with all of them at 0, so that the first event is a rise that
``increase()`` sees. A gauge is shown only after it was set: a process shows no 0 for what it does not know. One whose
value is NaN is not known now.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

PREFIX = "overheard_"
LabelValues = tuple[str, ...] | str  # all values of a label, or what they are


class MetricDefinition(msgspec.Struct, frozen=True):
    """A series' definition. ``by`` names who sets it; ``labels`` are (name, values)."""

    name: str
    type: str
    help: str
    by: str
    labels: tuple[tuple[str, LabelValues], ...]

    @property
    def unit(self) -> str:
        """From the name, as Prometheus has it."""
        stem = self.name.removesuffix("_total")
        if stem.endswith("_timestamp_seconds"):
            return "Unix time"
        return "seconds" if stem.endswith("_seconds") else "count"


class KnownGauge(Gauge):
    """A gauge without a value until it was set, where the library's has 0; and while its value is NaN."""

    _known = False

    def set(self, value: float) -> None:
        self._known = True
        super().set(value)

    def set_function(self, f: Callable[[], float]) -> None:
        self._known = True
        super().set_function(f)

    def collect(self) -> Iterable[Metric]:
        for family in super().collect():
            if not self._known and not self._labelnames:
                family.samples.clear()
            family.samples[:] = [sample for sample in family.samples if not math.isnan(sample.value)]
            yield family


class MetricCatalogue:
    """Defines series on a registry and remembers their definitions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.series: list[MetricDefinition] = []

    def counter(self, name: str, help: str, by: str, **labels: LabelValues) -> Counter:
        self._define(name, "counter", help, by, labels)
        made = Counter(PREFIX + name, help, tuple(labels), registry=self.registry)
        if labels and not any(isinstance(values, str) for values in labels.values()):
            for combination in itertools.product(*labels.values()):
                made.labels(*combination)
        return made

    def gauge(self, name: str, help: str, by: str, **labels: LabelValues) -> Gauge:
        self._define(name, "gauge", help, by, labels)
        return KnownGauge(PREFIX + name, help, tuple(labels), registry=self.registry)

    def histogram(self, name: str, help: str, by: str, buckets: tuple[float, ...], **labels: LabelValues) -> Histogram:
        self._define(name, "histogram", help, by, labels)
        return Histogram(PREFIX + name, help, tuple(labels), buckets=buckets, registry=self.registry)

    def _define(self, name: str, type: str, help: str, by: str, labels: dict[str, LabelValues]) -> None:
        self.series.append(MetricDefinition(PREFIX + name, type, help, by, tuple(labels.items())))
