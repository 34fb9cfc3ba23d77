"""Escape characters that are invisible or reorder text, where the text must be kept and must not mislead.

Bidirectional marks and overrides reorder text (CVE-2021-42574), tag characters hide whole sentences, a line
separator ends a line for some programs only. The joiners U+200C and U+200D stay: emoji and several scripts need them.
"""

from __future__ import annotations

import re

UNSEEN = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def json_escaped(text: str, *, ascii_only: bool = False) -> str:
    """Return the JSON ``text`` with invisible (or all non-ASCII) characters escaped; its value stays the same."""
    return (NOT_ASCII if ascii_only else UNSEEN).sub(_json, text)


def toml_escaped(text: str, *, ascii_only: bool = False) -> str:
    """Return the TOML basic string ``text`` with invisible (or all non-ASCII) characters escaped."""
    return (NOT_ASCII if ascii_only else UNSEEN).sub(_toml, text)


def _json(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def _toml(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
