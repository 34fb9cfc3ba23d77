"""Generated parts of hand-written files."""

from __future__ import annotations

import pytest

from deploy.generate.blocks import with_block

TEXT = "above\n# generated: ports (make generate)\nold\n# end: ports\nbelow\n"


def test_only_what_is_between_the_marks_is_replaced() -> None:
    wanted = "above\n# generated: ports (make generate)\nnew\\1\n# end: ports\nbelow\n"
    assert with_block(TEXT, "ports", "new\\1\n") == wanted
    assert with_block(wanted, "ports", "new\\1\n") == wanted


@pytest.mark.parametrize("text", ["", TEXT.replace("ports", "port"), TEXT + TEXT])
def test_a_file_without_its_one_block_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="want one block ports"):
        with_block(text, "ports", "new\n")
