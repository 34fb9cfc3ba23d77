"""``overheard alert``: test the operator's alert channel."""

from __future__ import annotations

import click

from overheard.cli.context import configuration
from overheard.cli.output import print_line
from overheard.cli.root import CliError
from overheard.errors import InvalidInput, PermanentError, RetryableError
from overheard.operations import operator_alert
from overheard.operations.channels import failed_test


@click.group
def alert() -> None:
    """Test the operator's alert channel ([alerts] url)."""


@alert.command
@click.pass_context
def test(context: click.Context) -> None:
    """Send a test alert to [alerts] url."""
    config = configuration(context)
    if not config.alerts.url.get_secret_value():
        raise CliError("no alert channel is configured: set [alerts] url in pipeline.toml")
    try:
        seconds = operator_alert.test(config)
    except (RetryableError, PermanentError, InvalidInput) as error:
        failed = failed_test(error, "test alert", "the alert channel")
        raise CliError(f"{failed}: {operator_alert.alert_error(error)}") from None
    print_line(("✓ ", "green"), f"The alert channel accepted the test alert in {seconds:.1f} s.")
