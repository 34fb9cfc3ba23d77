"""The processes that put work on the bus: ``python -m producers tick`` and ``python -m producers ingress``."""
