"""What sources let in."""

from __future__ import annotations

import pytest

from overheard.sources.sanitize import language_tag


@pytest.mark.parametrize(
    ("told", "tag"),
    [
        ("en", "en"),
        (" en-US ", "en-us"),
        ("pt_BR", "pt-br"),
        ("zh-Hant-TW", "zh-hant-tw"),
        ("DE", "de"),
        ("", ""),
        ("x", ""),
        ("english please", ""),
        ("en-", ""),
        ("en\0", ""),
        ("\ud800", ""),
        ("und", ""),
        ("zxx", ""),
        ("a" * 36, ""),
        ("en" + "-x" * 30, ""),
        (None, ""),
        (7, ""),
        (["en"], ""),
    ],
)
def test_a_language_is_a_tag_or_unknown(told: object, tag: str) -> None:
    assert language_tag(told) == tag
