"""A server of feeds: RSS 2.0, RSS 1.0, Atom and JSON Feed. It imports nothing of Overheard."""

from .simulator import FeedsSimulator

__all__ = ["FeedsSimulator"]
