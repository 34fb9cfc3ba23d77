"""The command line. Each command lives in the module of its noun, which is imported when the command is called."""

from __future__ import annotations

from pathlib import Path

import click

from overheard import __version__
from overheard.cli.root import CommandEntry, LazyGroup

PACKAGE = "overheard.cli"
HEADING_START = "Get started"
HEADING_CONFIGURE = "Configure"
HEADING_RESULTS = "Results"
HEADING_OPERATE = "Operate"

# The help lines are repeated here, because taking them from the commands would import all of them.
ENTRIES = {
    "demo": CommandEntry(
        f"{PACKAGE}.demo:demo", "Try Overheard on a simulated Reddit, without any setup.", HEADING_START
    ),
    "listen": CommandEntry(
        f"{PACKAGE}.listen:listen",
        "Listen to Hacker News and other sources, without any setup.",
        HEADING_START,
    ),
    "check": CommandEntry(f"{PACKAGE}.check:check", "Check configuration, servers and credentials.", HEADING_START),
    "run": CommandEntry(f"{PACKAGE}.run:run", "Run everything in one process.", HEADING_START),
    "workspace": CommandEntry(
        f"{PACKAGE}.workspaces:workspace",
        "Add, edit, list, show, pause, resume or remove workspaces.",
        HEADING_CONFIGURE,
    ),
    "import": CommandEntry(
        f"{PACKAGE}.workspace_files:import_", "Create or update workspaces from a TOML file.", HEADING_CONFIGURE
    ),
    "export": CommandEntry(f"{PACKAGE}.workspace_files:export", "Write workspaces as TOML.", HEADING_CONFIGURE),
    "query": CommandEntry(f"{PACKAGE}.queries:query", "Write, explain and test queries.", HEADING_CONFIGURE),
    "channel": CommandEntry(
        f"{PACKAGE}.channels:channel", "List, change, test, preview or mute channels.", HEADING_CONFIGURE
    ),
    "mentions": CommandEntry(f"{PACKAGE}.mentions:mentions", "List mentions, or follow new ones.", HEADING_RESULTS),
    "deliveries": CommandEntry(
        f"{PACKAGE}.deliveries:deliveries", "List what was sent and what waits, and retry it.", HEADING_RESULTS
    ),
    "why": CommandEntry(f"{PACKAGE}.why:why", "Say why a workspace got a message, or did not.", HEADING_RESULTS),
    "backfill": CommandEntry(
        f"{PACKAGE}.backfill:backfill", "Find older mentions, where sources can be searched.", HEADING_RESULTS
    ),
    "trigger": CommandEntry(f"{PACKAGE}.trigger:trigger", "Run a workspace now.", HEADING_RESULTS),
    "status": CommandEntry(f"{PACKAGE}.status:status", "Show system status and problems.", HEADING_OPERATE),
    "source": CommandEntry(f"{PACKAGE}.sources:source", "List sources and check whether they answer.", HEADING_OPERATE),
    "gap": CommandEntry(f"{PACKAGE}.gaps:gap", "List gaps: posts and comments that were missed.", HEADING_OPERATE),
    "dead-letters": CommandEntry(
        f"{PACKAGE}.dead_letters:dead_letters_group", "List, show, replay or drop failed messages.", HEADING_OPERATE
    ),
    "forget": CommandEntry(f"{PACKAGE}.forget:forget", "Erase an author's data or a workspace.", HEADING_OPERATE),
    "alert": CommandEntry(f"{PACKAGE}.alerts:alert", "Send a test alert to the operator's channel.", HEADING_OPERATE),
    "migrate": CommandEntry(f"{PACKAGE}.migrate:migrate", "Upgrade the database schema.", HEADING_OPERATE),
}
ALIASES = {"dead": "dead-letters"}  # the command's name until 2026-11: scripts and runbooks use it


@click.group(
    cls=LazyGroup,
    entries=ENTRIES,
    aliases=ALIASES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success, 1 failure, 2 wrong usage or configuration. For details of a command: overheard"
    " COMMAND --help.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="OVERHEARD_CONFIG",
    help="Configuration file.  [default: ./pipeline.toml, if it exists]",
)
@click.version_option(__version__, "--version", message="overheard %(version)s")
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Overheard watches Hacker News, Reddit, feeds and more for your queries, and notifies your channels of matches."""
    context.obj = {"config": config}
