"""``make generate``: docs/metrics.md, the dashboards, and what follows from the table of stages."""
