"""The processes that put work on the bus: ``python -m producers tick``, ``ingress`` and ``stream bluesky``."""
