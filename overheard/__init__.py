"""Overheard: tells people when Reddit says something they care about. The map of the code is ARCHITECTURE.md."""

__version__ = "0.1.0"
