"""``make generate``: docs/metrics.md, the dashboards, and what is derived from the table of stages."""
