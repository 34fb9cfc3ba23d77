"""Define each metric once, for `/metrics`, docs/metrics.md and the tests.

A counter whose labels have known values starts with all of them at 0, so that ``increase()`` sees the first event. A
gauge is exported only after ``set`` or ``set_function``, and not while its value is NaN: a process must not export 0
for a value that it does not know. So a gauge without labels that is only ever changed by ``inc`` is never exported.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric

PREFIX = "overheard_"
LabelValues = tuple[str, ...] | str  # all values of a label, or their description


class MetricDefinition(msgspec.Struct, frozen=True):
    """The definition of a metric. ``set_by`` names the processes that set it; ``labels`` are (name, values)."""

    name: str
    type: str
    help: str
    set_by: str
    labels: tuple[tuple[str, LabelValues], ...]

    @property
    def unit(self) -> str:
        """Return the unit, by Prometheus's naming conventions."""
        stem = self.name.removesuffix("_total")
        if stem.endswith("_timestamp_seconds"):
            return "Unix time"
        return "seconds" if stem.endswith("_seconds") else "count"


class GaugeWithoutDefault(Gauge):
    """A gauge that exports no sample before it is set, where the library's exports 0, nor while it is NaN."""

    _is_set = False

    def set(self, value: float) -> None:
        self._is_set = True
        super().set(value)

    def set_function(self, f: Callable[[], float]) -> None:
        self._is_set = True
        super().set_function(f)

    def collect(self) -> Iterable[Metric]:
        for family in super().collect():
            if not self._is_set and not self._labelnames:
                family.samples.clear()
            family.samples[:] = [sample for sample in family.samples if not math.isnan(sample.value)]
            yield family


class MetricCatalogue:
    """Creates metrics on a registry and lists their definitions in ``definitions``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.definitions: list[MetricDefinition] = []

    def counter(self, name: str, help: str, set_by: str, **labels: LabelValues) -> Counter:
        self._define(name, "counter", help, set_by, labels)
        counter = Counter(PREFIX + name, help, tuple(labels), registry=self.registry)
        if labels and not any(isinstance(values, str) for values in labels.values()):
            for combination in itertools.product(*labels.values()):
                counter.labels(*combination)
        return counter

    def gauge(self, name: str, help: str, set_by: str, **labels: LabelValues) -> Gauge:
        self._define(name, "gauge", help, set_by, labels)
        return GaugeWithoutDefault(PREFIX + name, help, tuple(labels), registry=self.registry)

    def histogram(
        self, name: str, help: str, set_by: str, buckets: tuple[float, ...], **labels: LabelValues
    ) -> Histogram:
        self._define(name, "histogram", help, set_by, labels)
        return Histogram(PREFIX + name, help, tuple(labels), buckets=buckets, registry=self.registry)

    def _define(self, name: str, type: str, help: str, set_by: str, labels: dict[str, LabelValues]) -> None:
        self.definitions.append(MetricDefinition(PREFIX + name, type, help, set_by, tuple(labels.items())))
