"""What puts events on the bus: ``python -m producers tick`` and ``python -m producers ingress``."""
