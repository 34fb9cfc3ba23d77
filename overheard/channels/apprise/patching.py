"""Replace what the modules of Apprise's services have imported.

Apprise has no setting for an HTTP client, a Message-ID or a text part. So the names that its services imported are
bound to replacements, once, after the services have been loaded; the libraries they come from stay unchanged.
``tests/unit/channels/apprise/test_patching.py`` reads the installed Apprise and fails when a release moves a name.
"""

from __future__ import annotations

import sys

SERVICES = "apprise.plugins."


def replace_name(name: str, original: object, replacement: object) -> None:
    """Bind ``name`` to ``replacement`` in every service module where it is bound to ``original``."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith(SERVICES) and vars(module).get(name) is original:
            setattr(module, name, replacement)
