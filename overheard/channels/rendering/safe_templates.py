"""Jinja environments that make every printed value harmless.

Strangers write titles and bodies, so the environment itself (``finalize``, autoescape) defuses each value: a filter
would protect only the templates that remember to call it. The one exception is ``SafeText``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Literal

from jinja2 import PackageLoader
from jinja2.sandbox import SandboxedEnvironment

from overheard.channels.rendering.excerpt import Fragment
from overheard.channels.rendering.sanitize import clean, defuse, escape_markdown, one_line

Flavour = Literal["text", "markdown", "html", "plain"]

# Stricter than a URL may be: no character of it means anything to Markdown, HTML or a chat service.
LINK = re.compile(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~%/?=&+-]*)?")


class SafeText(str):
    """Text of ours, or text that was checked: printed as it is."""


def checked_link(url: str) -> str:
    """Return ``url`` as SafeText if it is a plain web address, else as it is: to be defused, and never linked."""
    return SafeText(url) if LINK.fullmatch(url) else url


@functools.cache
def environment(flavour: Flavour) -> SandboxedEnvironment:
    """Return the environment of one flavour: its templates end in ``.<flavour>.j2``."""
    made = SandboxedEnvironment(
        loader=PackageLoader("overheard.channels.rendering"),
        autoescape=flavour == "html",
        finalize=_finalize({"text": defuse, "markdown": escape_markdown, "html": clean, "plain": clean}[flavour]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["line"] = one_line  # for a name, which may be long and have line breaks
    made.filters["trusted"] = SafeText  # for what a macro has put together from harmless parts
    made.tests["checked_link"] = lambda value: isinstance(value, SafeText)
    return made


def _finalize(harmless: Callable[[str], str]) -> Callable[[Any], Any]:
    def finalize(value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(part, Fragment) for part in value):
            value = "".join(part.text for part in value)
        # Plain strings only: SafeText and Jinja's Markup (a macro's result) are harmless already.
        return harmless(value) if type(value) is str else value

    return finalize
