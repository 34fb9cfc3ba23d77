"""Outgoing connections: which addresses they may reach, and for how long."""
