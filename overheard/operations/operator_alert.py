"""The operator's alert channel, and the text of alerts."""

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
from overheard.operations.channels import options, send_timed

TEST_KIND = "test alert"
# The next step for each kind of incident. The keys are stored in incident rows and sent in alerts: do not rename them.
REMEDIES = {
    TEST_KIND: "nothing: alerts reach you",
    "dead letter": "overheard dead-letters list",
    "channel disabled": "overheard channel list",
    "channel failing": "overheard channel list",
    "feed refused": "overheard status",
    "place renamed": "its watches follow it; change it in your own copies of workspace files, too",
    "process gave up": "see its log; supervisorctl status",
    "tick failing": "see the tick's log; overheard check",
    "canary late": "overheard status",
    "reddit away": "overheard check",
    "source away": "overheard check",
    "source login refused": "overheard check",
    "reddit client refused": "see which one: overheard check; its app may be missing at https://www.reddit.com/prefs/apps",
    "reddit login refused": "check that the app is listed at https://www.reddit.com/prefs/apps, then overheard check",
}


def alert_channel(config: Config) -> Transport:
    """Return the alert channel. Raises InvalidInput, without the URL or the secret in its text."""
    settings = config.alerts
    return open_transport(
        settings.url.get_secret_value(),
        settings.secret.get_secret_value() or None,
        options=options(config, allow_private=settings.allow_private),
    )


def alert_error(error: Exception) -> str:
    """Return an error's message with the right section: channels name [notify] allow_private, alerts have their own."""
    return str(error).replace("[notify]", "[alerts]")


def compose(counts: Sequence[IncidentCount]) -> Notice:
    """Return one notice about all incidents, grouped by kind."""
    by_kind = attrgetter("kind")
    groups = ((kind, list(group)) for kind, group in groupby(sorted(counts, key=by_kind), key=by_kind))
    incidents = tuple(
        AlertedIncident(
            kind=kind,
            count=sum(each.count for each in group),
            where=tuple(each.what for each in group),
            last_at=rfc3339(max(each.last_at for each in group)),
            do=REMEDIES.get(kind, "overheard status"),
        )
        for kind, group in groups
    )
    alert = Alert(host=socket.gethostname(), incidents=incidents)
    return Notice(id=f"alert_{uuid.uuid4().hex}", type="alert", workspace="", mentions=(), alert=alert)


def test(config: Config) -> float:
    """Send a test alert now; return the seconds it took. Raises RetryableError, PermanentError, InvalidInput."""
    return send_timed(
        alert_channel(config), compose([IncidentCount(TEST_KIND, "overheard alert test", 1, system_clock())])
    )
