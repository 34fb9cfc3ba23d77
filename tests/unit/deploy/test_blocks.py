"""Generated parts of hand-written files."""

from __future__ import annotations

import pytest

from deploy.generate.blocks import replace_block

TEXT = "above\n# generated: ports (make generate)\nold\n# end: ports\nbelow\n"


def test_only_the_text_between_the_marks_is_replaced() -> None:
    wanted = "above\n# generated: ports (make generate)\nnew\\1\n# end: ports\nbelow\n"
    assert replace_block(TEXT, "ports", "new\\1\n") == wanted
    assert replace_block(wanted, "ports", "new\\1\n") == wanted


@pytest.mark.parametrize("text", ["", TEXT.replace("ports", "port"), TEXT + TEXT])
def test_a_file_must_have_the_block_exactly_once(text: str) -> None:
    with pytest.raises(ValueError, match="want one block ports"):
        replace_block(text, "ports", "new\n")
