"""How Apprise's three formats mark text up. Texts are harmless in each of them once they are escaped."""

from __future__ import annotations

import html

from overheard.channels.rendering.paragraphs import Markup
from overheard.channels.rendering.safe_templates import Flavour
from overheard.channels.rendering.sanitize import clean, defuse, escape_markdown

PARAGRAPH_MAX_UNITS = 2_000


def _html_link(address: str, text: str) -> str:
    return f'<a href="{html.escape(address)}">{text}</a>'


MARKUPS: dict[Flavour, Markup] = {
    # An address as it is: whoever reads plain text sees where a link leads, and most programs make it one.
    "text": Markup(
        escape=defuse,
        bold=str,
        link=lambda address, text: f"{text} {address}",
        code_block=str,
        limit=PARAGRAPH_MAX_UNITS,
    ),
    "markdown": Markup(
        escape=escape_markdown,
        bold=lambda text: f"**{text}**",
        link=lambda address, text: f"[{text}]({address})",
        code_block=lambda text: f"```\n{text}\n```",
        limit=PARAGRAPH_MAX_UNITS,
    ),
    "html": Markup(
        escape=lambda text: html.escape(clean(text)),
        bold=lambda text: f"<b>{text}</b>",
        link=_html_link,
        code_block=lambda text: f"<code>{text}</code>",
        limit=PARAGRAPH_MAX_UNITS,
    ),
}


def lines_of(text: str, flavour: Flavour) -> str:
    """Return a text whose line ends are shown as such: Markdown and HTML take them for spaces."""
    if flavour == "html":
        return text.replace("\n", "<br>\n")
    if flavour == "markdown":
        return text.replace("\n", "  \n")
    return text
