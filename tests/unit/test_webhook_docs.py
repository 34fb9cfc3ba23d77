"""docs/webhooks.md shows what webhooks really get."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.webhook_examples import NOTICES, example

DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.md"


@pytest.mark.parametrize("type", NOTICES)
def test_the_example_of_each_type_is_what_is_sent(type: str) -> None:
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(blocks) == len(NOTICES)
    assert example(type) in blocks
