"""Checks of Reddit: the login, one request, and clients that are not used."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from overheard.db import refreshes
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, ConfigError, LoginRefused, PermanentError, RetryableError
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.wording import span
from overheard.permits import UnlimitedPermit
from overheard.process import RunningProcess
from overheard.sources import RequestTokens
from overheard.sources.reddit.names import SOURCE, budget_key
from overheard.sources.reddit.source import open_source

# At most this long, whatever a poll may take: a user waits for a check. Chosen, not measured.
REDDIT_TIMEOUT_SECONDS = 5.0

OpenBudget = Callable[[str], RequestTokens]  # called with the budget's key


def reddit(running: RunningProcess, open_budget: OpenBudget | None) -> CheckOutcome:
    """Log in and read one post. With a database, the request counts against the budget shared with other processes."""
    config = running.config
    settings = config.sources.reddit
    quick = settings.model_copy(update={"timeout": min(settings.timeout, REDDIT_TIMEOUT_SECONDS)})
    sources = config.sources.model_copy(update={"reddit": quick})
    try:
        source = open_source(config.model_copy(update={"sources": sources}), running.metrics, running.clock)
    except ConfigError as error:
        required = open_budget is None or _required(running)
        return CheckOutcome(
            "failed" if required else "warning", error.problems[0], textwrap.dedent("\n".join(error.problems[1:]))
        )
    try:
        # Without a database there is no budget to share, and a single request exceeds none.
        if open_budget is None:
            return CheckOutcome("ok", source.check_login(UnlimitedPermit()))
        with running.db.session():
            return CheckOutcome("ok", source.check_login(open_budget(budget_key(settings.client_in_use))))
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
    finally:
        source.close()


def clients(running: RunningProcess, db: Db | None) -> CheckOutcome | None:
    """Warn of configured clients that are not used; None if there are none."""
    reddit = running.config.sources.reddit
    if len(reddit.clients) < 2:
        return None
    message = f"{len(reddit.clients)} Reddit clients are configured; only the first is used yet: {reddit.client_in_use}"
    return CheckOutcome("warning", message, "the others do no harm; a later version will use all of them")


def _required(running: RunningProcess) -> bool:
    """Return True if Reddit is watched, or nothing is yet. A source that is not watched may be left unconfigured."""
    with running.db.session():
        watched = refreshes.watched_sources(running.db)
    return not watched or SOURCE in watched
