"""The command line. Each command is in the module of its noun, and imported when it is called."""

from __future__ import annotations

from pathlib import Path

import click

from overheard import __version__
from overheard.cli.group import Commands, Entry

HERE = "overheard.cli"
START, SAY, HEAR, OPERATE = "Start", "Say what to listen for", "See what was heard", "Keep it running"

ENTRIES = {
    "demo": Entry(f"{HERE}.demo:demo", "Watch it work on a Reddit of its own: nothing to set up.", START),
    "check": Entry(f"{HERE}.check:check", "Try configuration, database, bus, Reddit and metrics port.", START),
    "run": Entry(f"{HERE}.run:run", "Run everything in one process.", START),
    "workspace": Entry(f"{HERE}.workspaces:workspace", "Add, list, show, pause, resume or remove workspaces.", SAY),
    "import": Entry(f"{HERE}.workspace_files:import_", "Create or change workspaces as a TOML file says.", SAY),
    "export": Entry(f"{HERE}.workspace_files:export", "Write workspaces as TOML.", SAY),
    "query": Entry(f"{HERE}.queries:query", "Try a query on a text, or on a file of items.", SAY),
    "channel": Entry(f"{HERE}.channels:channel", "List channels, or send a test message to one.", SAY),
    "mentions": Entry(f"{HERE}.mentions:mentions", "List what was found, or watch it arrive.", HEAR),
    "trigger": Entry(f"{HERE}.trigger:trigger", "Ask for a run of a workspace now.", HEAR),
    "status": Entry(f"{HERE}.status:status", "How everything is, and what to do about what is not well.", OPERATE),
    "gap": Entry(f"{HERE}.gaps:gap", "List what could not be read.", OPERATE),
    "dead": Entry(f"{HERE}.dead_letters:dead", "Look at, replay or drop what could not be done.", OPERATE),
    "forget": Entry(f"{HERE}.forget:forget", "Erase all of an author, or of a workspace.", OPERATE),
    "alert": Entry(f"{HERE}.alerts:alert", "Send a test alert to the operator's channel.", OPERATE),
    "migrate": Entry(f"{HERE}.migrate:migrate", "Bring the database up to date; SQLite is copied first.", OPERATE),
}


@click.group(
    cls=Commands,
    entries=ENTRIES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. Every command has a --help of its own.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="OVERHEARD_CONFIG",
    help="The configuration (default: ./pipeline.toml where there is one).",
)
@click.version_option(__version__, "--version", message="overheard %(version)s")
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Overheard listens to Reddit for the words you care about, and tells you when it hears them."""
    context.obj = {"config": config}
