"""Checks of Reddit: the login and one request of each client."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import msgspec

from overheard.db import refreshes
from overheard.errors import BudgetExhausted, ConfigError, LoginRefused, PermanentError, RetryableError
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.wording import span
from overheard.permits import UnlimitedPermit
from overheard.process import RunningProcess
from overheard.sources import RequestTokens
from overheard.sources.reddit.names import SOURCE, client_key

if TYPE_CHECKING:
    from overheard.sources.reddit.source import RedditSource

# At most this long, whatever a poll may take: a user waits for a check. Chosen, not measured.
REDDIT_TIMEOUT_SECONDS = 5.0

OpenBudget = Callable[[str], RequestTokens]  # called with the budget's key


def reddit(running: RunningProcess, open_budget: OpenBudget | None) -> list[CheckOutcome]:
    """Log in and read one post, with every client. With a database, the requests count against their shared budgets."""
    from overheard.sources.reddit.source import open_source  # PRAW: every command that shows problems would import it

    config = running.config
    settings = config.sources.reddit
    quick = settings.model_copy(update={"timeout": min(settings.timeout, REDDIT_TIMEOUT_SECONDS)})
    sources = config.sources.model_copy(update={"reddit": quick})
    try:
        source = open_source(config.model_copy(update={"sources": sources}), running.metrics, running.clock)
    except ConfigError as error:
        required = open_budget is None or _required(running)
        remedy = textwrap.dedent("\n".join(error.problems[1:]))
        return [CheckOutcome("failed" if required else "warning", error.problems[0], remedy)]
    try:
        with nullcontext() if open_budget is None else running.db.session():
            # Without a database there is no budget to share, and a single request exceeds none.
            budget = (
                UnlimitedPermit() if open_budget is None else open_budget(client_key(settings.clients[0].client_id))
            )
            return _several([_login(source, client, budget) for client in source.client_names()])
    finally:
        source.close()


def _login(source: RedditSource, client: str, budget: RequestTokens) -> CheckOutcome:
    try:
        return CheckOutcome("ok", source.check_login(client, budget))
    except BudgetExhausted as error:
        return CheckOutcome("warning", f"not tried: the request budget is used up for the next {span(error.delay)}")
    except LoginRefused as error:
        return CheckOutcome(
            "failed", str(error), "check that the app is still listed at https://www.reddit.com/prefs/apps"
        )
    except RetryableError as error:
        return CheckOutcome("failed", str(error), "try again later; check the network, and reddit_url if you set it")
    except PermanentError as error:
        return CheckOutcome("failed", str(error))


def _several(outcomes: list[CheckOutcome]) -> list[CheckOutcome]:
    """Name each of several clients. One that fails is only a warning while another one can be used."""
    if len(outcomes) == 1:
        return outcomes
    usable = any(outcome.status == "ok" for outcome in outcomes)
    return [
        msgspec.structs.replace(
            outcome,
            status="warning" if usable and outcome.status == "failed" else outcome.status,
            message=f"client {number} of {len(outcomes)}: {outcome.message}",
        )
        for number, outcome in enumerate(outcomes, 1)
    ]


def _required(running: RunningProcess) -> bool:
    """Return True if Reddit is watched, or nothing is yet. A source that is not watched may be left unconfigured."""
    with running.db.session():
        watched = refreshes.watched_sources(running.db)
    return not watched or SOURCE in watched
