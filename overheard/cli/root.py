"""The root of the command line: lazy loading of commands, and errors as plain messages with exit codes."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from overheard.cli.streams import SIGPIPE_EXIT_CODE, discard_stdout
from overheard.errors import ConfigError, OverheardError

SIGINT_EXIT_CODE = 130  # 128 + SIGINT, as shells report a process that Ctrl-C ended


class CommandEntry(NamedTuple):
    """A command: ``module:attribute``, its line in ``--help``, and the heading above that line."""

    target: str
    help: str
    heading: str


class CliError(click.ClickException):
    """An error, printed as ``overheard: …`` on stderr; further lines of the message are indented."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        # Imported here: it needs rich, and `--help` must not.
        from overheard.cli.output import print_error

        print_error(self.message)


# A code of its own, so that a script can tell what to correct from what to try again.
class WrongUsage(CliError):
    """Arguments or a configuration that can never work."""

    exit_code = 2


class LazyGroup(click.Group):
    """A group that imports a command only when it is called: ``--help`` stays fast. ``aliases`` are not listed."""

    def __init__(
        self, *args: Any, entries: Mapping[str, CommandEntry], aliases: Mapping[str, str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.entries = entries
        self.aliases = aliases

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        entry = self.entries.get(self.aliases.get(name, name))
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    # click's own suggestions come from ``commands``, which stays empty in a lazy group.
    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            nearest = difflib.get_close_matches(args[0], self.entries, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            raise click.UsageError(f"{error.format_message()}{hint}", context) from None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for heading in dict.fromkeys(entry.heading for entry in self.entries.values()):
            with formatter.section(heading):
                formatter.write_dl(
                    [(name, entry.help) for name, entry in self.entries.items() if entry.heading == heading],
                    col_max=14,
                )

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ConfigError as error:
            raise WrongUsage("\n".join(error.problems)) from None
        except (OverheardError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                discard_stdout()
                raise click.exceptions.Exit(SIGPIPE_EXIT_CODE) from None
            raise CliError(_message(error)) from None
        except KeyboardInterrupt:
            raise click.exceptions.Exit(SIGINT_EXIT_CODE) from None


def _message(error: OverheardError | OSError) -> str:
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or type(error).__name__}"
