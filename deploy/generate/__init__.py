"""Writes what is generated and committed: docs/metrics.md and the dashboards. ``make generate``."""
