"""Outgoing connections: which addresses may be reached, and for how long."""
