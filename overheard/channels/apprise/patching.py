"""Names in the modules of Apprise's services that stand for something of ours.

Apprise offers no way to give it an HTTP client, a Message-ID or a text part. So what its services import under a name
is exchanged for ours, once, when they have been loaded; the libraries that they import it from stay as they are.
``tests/unit/channels/apprise/test_patching.py`` reads the installed Apprise and fails when a release moves a name.
"""

from __future__ import annotations

import sys

SERVICES = "apprise.plugins."


def replace_name(name: str, theirs: object, ours: object) -> None:
    """Put ``ours`` in place of ``theirs`` wherever a service knows it as ``name``."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith(SERVICES) and vars(module).get(name) is theirs:
            setattr(module, name, ours)
