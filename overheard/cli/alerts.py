"""``overheard alert``: whether the operator can be told."""

from __future__ import annotations

import click

from overheard.cli.context import configuration
from overheard.cli.group import CliError
from overheard.cli.output import line
from overheard.errors import InvalidInput, PermanentError, RetryableError
from overheard.operations import operator_alert


@click.group
def alert() -> None:
    """Alerts: the operator is told what went wrong."""


@alert.command
@click.pass_context
def test(context: click.Context) -> None:
    """Send a test alert to [alerts] url now, and say what the receiver answered."""
    config = configuration(context)
    if not config.alerts.url.get_secret_value():
        raise CliError("no alerts are sent: [alerts] url in pipeline.toml is empty")
    try:
        took = operator_alert.test(config)
    except (RetryableError, PermanentError, InvalidInput) as error:
        raise CliError(f"[alerts] url took nothing: {operator_alert.said(error)}") from None
    line(("✓ ", "green"), f"The operator's channel took the test alert in {took:.1f} s.")
