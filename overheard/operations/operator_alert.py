"""The operator's channel: what it is, and what an alert says of each kind of incident."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from overheard.channels import Transport
from overheard.channels.registry import open_transport
from overheard.clock import system_clock
from overheard.config import Config
from overheard.db.incidents import IncidentCount
from overheard.db.mentions import rfc3339
from overheard.notices import Alert, AlertedIncident, Notice
from overheard.operations.channels import options, timed

TEST = "test alert"
# What to do about each kind.
DO = {
    TEST: "nothing: you are told",
    "dead letter": "overheard dead list",
    "channel disabled": "overheard channel list",
    "feed refused": "overheard status",
    "process gave up": "see its log; supervisorctl status",
    "tick failing": "see the tick's log; overheard check",
    "canary late": "overheard status",
    "reddit away": "overheard check",
    "reddit login refused": "look for the app at https://www.reddit.com/prefs/apps, then overheard check",
}


def alert_channel(config: Config) -> Transport:
    """Return the operator's channel. Raises InvalidInput, whose text shows neither address nor secret."""
    rules = config.alerts
    return open_transport(
        rules.url.get_secret_value(),
        rules.secret.get_secret_value() or None,
        options=options(config, allow_private=rules.allow_private),
    )


def said(error: Exception) -> str:
    """Return what is wrong with the alert channel: the rule that channels speak of has a namesake for this one."""
    return str(error).replace("[notify]", "[alerts]")


def compose(noted: Sequence[IncidentCount]) -> Notice:
    """Return one message about all of it, by kind."""
    by_kind = attrgetter("kind")
    groups = ((kind, list(group)) for kind, group in groupby(sorted(noted, key=by_kind), key=by_kind))
    incidents = tuple(
        AlertedIncident(
            kind=kind,
            count=sum(each.count for each in group),
            where=tuple(each.what for each in group),
            last_at=rfc3339(max(each.last_at for each in group)),
            do=DO.get(kind, "overheard status"),
        )
        for kind, group in groups
    )
    alert = Alert(host=socket.gethostname(), incidents=incidents)
    return Notice(id=f"alert_{uuid.uuid4().hex}", type="alert", workspace="", mentions=(), alert=alert)


def test(config: Config) -> float:
    """Send a test alert now; return the seconds it took. Raises RetryableError, PermanentError, InvalidInput."""
    return timed(alert_channel(config), compose([IncidentCount(TEST, "overheard alert test", 1, system_clock())]))
