"""A screen of mentions of several workspaces, each with a colour of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from overheard.cli.live.screen import LiveScreen
from overheard.cli.output import one_line
from overheard.notices import PublicMention

COLOURS = ("cyan", "magenta", "green", "blue")


class WorkspaceScreen(LiveScreen):
    """Begins a mention's heading with its workspace, and ends it with its queries."""

    def __init__(self, registry: CollectorRegistry, started: float) -> None:
        super().__init__(registry, started)
        self._colours: dict[str, str] = {}

    def tag(self, mention: PublicMention) -> tuple[tuple[str, str], ...]:
        return ((f"  {mention.workspace:<9}", f"bold {self.colour(mention.workspace)}"),)

    def details(self, mention: PublicMention) -> tuple[tuple[str, str], ...]:
        return ((" ".join(f"#{one_line(name)}" for name in mention.queries), "italic dim"),)

    def colour(self, workspace: str) -> str:
        """Return the colour of a workspace."""
        return self._colours.setdefault(workspace, COLOURS[len(self._colours) % len(COLOURS)])
