"""Errors; their type decides what happens next.

    OverheardError
    ├── ConfigError            the operator must change something: exit 2; names file and key
    │   └── DatabaseMissing    SQLite's file has not been made yet
    ├── InvalidInput           a message, event, row or file from outside is refused, with the reason
    ├── NotFound               the named workspace, channel … does not exist
    ├── Conflict               the request contradicts the present state; says what to do instead
    ├── RetryableError         retry, after ``delay`` seconds if the other side named a time
    │   ├── Unavailable        a server of ours (bus, database) cannot be reached
    │   ├── LoginRefused       a source refuses our credentials: only the operator can fix it
    │   └── DeliveryRefused    the receiver is up and refuses this delivery: it may accept others
    │       └── PartlyRefused  some of a channel's recipients have it: it is retried for the others
    ├── BudgetExhausted        not a failure: a slot of the budget is reserved for later; handlers return ``Later``
    └── PermanentError         a retry cannot help; uncaught, a dead letter with its reason
        ├── FeedRefused        the source will not show this feed (private, banned, missing …): fetch backs it off
        └── ChannelGone        the receiver asked us to stop (410): notify disables the channel

The raising code says what is wrong. Whether to retry, reject or postpone is decided in one place: ``bus.retry_policy``
for messages, the notify stage for deliveries.
"""

from __future__ import annotations


class OverheardError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(OverheardError):
    """The configuration cannot be used. ``problems`` holds one readable line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class DatabaseMissing(ConfigError):
    """The database is a file that has not been created yet."""


class InvalidInput(OverheardError):
    """Data from outside is invalid; the text says what and where."""


class NotFound(OverheardError):
    """A named thing does not exist; the text lists what does."""


class Conflict(OverheardError):
    """The request contradicts the present state; the text says what to do instead."""


class RetryableError(OverheardError):
    """A passing fault. ``delay`` (seconds) is set if the other side said when to retry."""

    def __init__(self, reason: str, *, delay: float | None = None) -> None:
        self.delay = delay
        super().__init__(reason)


class Unavailable(RetryableError):
    """A server that we depend on does not answer."""


class LoginRefused(RetryableError):
    """A source refuses our credentials: the operator has to check them.

    It is retried rarely (``delay`` is always set), because the source may accept them again; until then its feeds wait
    as in any outage. A dead letter for every message would only flood the table.
    """


class DeliveryRefused(RetryableError):
    """The receiver answered and refused this delivery; it may accept others, and this one later."""


class PartlyRefused(DeliveryRefused):
    """Some of the channel's recipients have this delivery, so the channel works; it is retried for the others."""


class BudgetExhausted(OverheardError):
    """The budget ``key`` has reserved a slot ``delay`` seconds from now (at ``slot``, on the database's clock).

    ``slot`` is None if the slots are booked so far ahead that none was reserved. It is raised where the token is
    needed, deep in a source's library; a handler that has to keep its progress turns it into an outcome itself.
    """

    def __init__(self, key: str, *, delay: float, slot: float | None) -> None:
        self.key = key
        self.delay = delay
        self.slot = slot
        super().__init__(f"budget {key}: next slot in {delay:.1f} s")


class PermanentError(OverheardError):
    """A retry cannot help."""


class FeedRefused(PermanentError):
    """The source refuses a feed. ``reason`` is a few fixed words: private, banned, missing, HTTP 410, timeout …

    ``names`` are the feeds that were requested together: with more than one, any of them may be the cause. ``delay``:
    seconds until the feed may be requested again, None: longer with each refusal. Sources whose feeds are on servers
    of their own also raise it for a server that does not answer, because that says nothing about the others.
    """

    def __init__(self, reason: str, names: tuple[str, ...], *, delay: float | None = None) -> None:
        self.reason = reason
        self.names = names
        self.delay = delay
        super().__init__(f"{reason}: {'+'.join(names)}")


class ChannelGone(PermanentError):
    """The receiver answered 410 Gone: send nothing to it again."""
