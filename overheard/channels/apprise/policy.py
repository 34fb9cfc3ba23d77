"""Decide which of Apprise's services and options may be used, and which could bypass the egress check.

``tests/unit/channels/apprise/test_policy.py`` reads the installed Apprise and fails when a release adds a service that
runs programs, starts threads or reads local files.
"""

from __future__ import annotations

from collections.abc import Iterable

from overheard.errors import InvalidInput
from overheard.net.egress import ALLOW_PRIVATE_HINT

# Modules below apprise.plugins. These act on the machine that we run on:
LOCAL_SERVICES = {
    "blink1": "lights a USB lamp of this machine",
    "dbus": "notifies this machine's desktop",
    "glib": "notifies this machine's desktop",
    "gnome": "notifies this machine's desktop",
    "macosx": "runs a program on this machine",
    "syslog": "writes to this machine's log",
    "windows": "notifies this machine's desktop",
}
# These connect in threads that their library starts, which the guard cannot follow:
THREADED_SERVICES = {
    "mqtt": "connects in a thread of its own, where its address cannot be checked",
    "xmpp": "connects in a thread of its own, where its address cannot be checked",
}
# Options that name a file on this machine.
FILE_OPTIONS = frozenset({"template", "pgppub", "pgpprv", "keyfile", "subfile"})
# Services whose ``template`` is an id at the provider.
REMOTE_TEMPLATES = frozenset(
    {"awswhatsapp", "gupshup", "kaleyra", "notifyre", "one_signal", "pushplus", "sendgrid", "sendpulse", "whatsapp"}
)
# Services that name a file in the URL's path.
FILE_PATHS = {"fcm": "takes its key from a file", "vapid": "takes its key from a file"}


def check_service(name: str, module: str, options: Iterable[str], *, allow_private: bool) -> None:
    """Raise InvalidInput for what needs ``allow_private``: it is for set-ups that trust all their users.

    ``name`` is the service's name in the URL; ``module`` the one that implements it, ``apprise.plugins.…``; ``options``
    are the URL's, as Apprise itself parses them: a parser of our own might miss one.
    """
    if allow_private:
        return
    service = module.removeprefix("apprise.plugins.").partition(".")[0]
    why = LOCAL_SERVICES.get(service) or THREADED_SERVICES.get(service) or FILE_PATHS.get(service)
    if why is not None:
        raise InvalidInput(f"url: {name} {why}; {ALLOW_PRIVATE_HINT}")
    for option in FILE_OPTIONS.intersection(options):
        if option != "template" or service not in REMOTE_TEMPLATES:
            raise InvalidInput(
                f"url: the option {option}= of {name} may read a file of this machine; {ALLOW_PRIVATE_HINT}"
            )
