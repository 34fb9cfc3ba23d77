"""Errors, whose type says what happens next.

    OverheardError
    ├── ConfigError            the operator must change something: exit 2, says which file and key
    │   └── DatabaseMissing    SQLite's file has not been made yet
    ├── InvalidInput           a message, event, row or file from outside is refused, with the reason
    ├── NotFound               a workspace, channel … that somebody named does not exist
    ├── Conflict               what was asked for does not go with what is there; says what to do instead
    ├── RetryableError         retry, after ``delay`` seconds when the other side named a time
    │   ├── Unavailable        a server of ours (bus, database) cannot be reached
    │   ├── LoginRefused       a source does not accept our credentials: only the operator can help
    │   └── DeliveryRefused    the receiver is up and refuses this one delivery: others may be taken
    ├── BudgetExhausted        not a failure: the budget has a slot for us later; handlers return ``Later`` for it
    └── PermanentError         trying again cannot help: a dead letter, with its reason
        ├── FeedRefused        Reddit will not show this feed (private, banned, missing …)
        └── ChannelGone        the receiver asked us to stop (410): disable the channel

What raises says what is wrong; whether to retry, reject or re-schedule is decided in one place
(``bus.retry_policy`` for messages, the notify stage for deliveries).
"""

from __future__ import annotations


class OverheardError(Exception):
    """Base of every error that we raise on purpose."""


class ConfigError(OverheardError):
    """The configuration cannot be used. ``problems`` holds one readable line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class DatabaseMissing(ConfigError):
    """The database is a file that has not been made yet."""


class InvalidInput(OverheardError):
    """Something from outside does not have the promised form; the text says what and where."""


class NotFound(OverheardError):
    """Somebody named a thing that does not exist; the text says what does."""


class Conflict(OverheardError):
    """What was asked for does not go with what is there; the text says what to do instead."""


class RetryableError(OverheardError):
    """A passing fault. ``delay`` (seconds) is set when the other side told us how long to stay away."""

    def __init__(self, reason: str, *, delay: float | None = None) -> None:
        self.delay = delay
        super().__init__(reason)


class Unavailable(RetryableError):
    """A server that we depend on does not answer."""


class LoginRefused(RetryableError):
    """A source does not accept our credentials (any more): the operator has to look at them.

    Retried all the same, seldom (``delay`` is always set): the source may change its mind, and until then its feeds
    wait as in any outage. A dead letter for every message would help nobody.
    """


class DeliveryRefused(RetryableError):
    """The receiver answered, and refused what this delivery says; it may take others, and this one another day."""


class BudgetExhausted(OverheardError):
    """The budget ``key`` has reserved a slot for us ``delay`` seconds from now (at ``slot``, database clock).

    ``slot`` is None when the queue for the budget is so long that none was reserved. It is raised where the token is
    needed, deep in a source's library; a handler that has more to say than "later" makes an outcome of it.
    """

    def __init__(self, key: str, *, delay: float, slot: float | None) -> None:
        self.key = key
        self.delay = delay
        self.slot = slot
        super().__init__(f"budget {key}: next turn in {delay:.1f} s")


class PermanentError(OverheardError):
    """Trying again cannot help."""


class FeedRefused(PermanentError):
    """Reddit refuses what was asked for. ``reason`` is one of private, quarantined, banned, missing, refused.

    ``names`` are the feeds that were asked for together: with more than one, any of them may be the cause.
    """

    def __init__(self, reason: str, names: tuple[str, ...]) -> None:
        self.reason = reason
        self.names = names
        super().__init__(f"{reason}: {'+'.join(names)}")


class ChannelGone(PermanentError):
    """The receiver answered 410: it wants nothing from us any more."""
