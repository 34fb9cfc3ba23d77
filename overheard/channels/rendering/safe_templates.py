"""Jinja environments that make every printed value harmless.

Strangers write titles and bodies, so the environment itself (``finalize``, autoescape) defuses each value: a filter
would protect only the templates that remember to call it. The one exception is ``SafeText``.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Literal

from jinja2 import PackageLoader
from jinja2.sandbox import SandboxedEnvironment

from overheard.channels.rendering.excerpt import Fragment
from overheard.channels.rendering.sanitize import clean, one_line

TemplateFlavour = Literal["html", "plain"]

# Stricter than a URL may be: no character of it means anything to Markdown, HTML or a chat service.
LINK = re.compile(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~%/?=&+-]*)?")


class SafeText(str):
    """Text of ours, or text that was checked: printed as it is."""


@functools.cache
def environment(flavour: TemplateFlavour) -> SandboxedEnvironment:
    """Return the environment of one flavour: its templates end in ``.<flavour>.j2``."""
    made = SandboxedEnvironment(
        loader=PackageLoader("overheard.channels.rendering"),
        autoescape=flavour == "html",
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["line"] = one_line  # for a name, which may be long and have line breaks
    return made


def _finalize(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(part, Fragment) for part in value):
        value = "".join(part.text for part in value)
    # Plain strings only: SafeText and Jinja's Markup (a macro's result) are harmless already.
    return clean(value) if type(value) is str else value
