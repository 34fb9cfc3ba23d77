"""How the command line behaves as a whole: commands loaded when they are called, faults told in plain words."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from overheard.cli.streams import READER_GONE, forget_stdout
from overheard.errors import ConfigError, InvalidInput, OverheardError

INTERRUPTED = 130  # as shells count a process that Ctrl-C ended


class Entry(NamedTuple):
    """A command: the attribute that holds it, the line that ``--help`` says of it, and under which heading."""

    target: str
    help: str
    heading: str


class CliError(click.ClickException):
    """Told as ``overheard: …`` on stderr, a line for each problem."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        from overheard.cli.output import complain

        complain(self.message)


class WrongUsage(CliError):
    """What was typed, or configured, can never work."""

    exit_code = 2


class Commands(click.Group):
    """The root group. ``entries`` are imported only when they are called: ``--help`` needs none of them."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = entries

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        entry = self.entries.get(name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.entries, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
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
                forget_stdout()
                raise click.exceptions.Exit(READER_GONE) from None
            raise CliError(_told(error)) from None
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None


def _told(error: OverheardError | OSError) -> str:
    if isinstance(error, InvalidInput) or not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or type(error).__name__}"
