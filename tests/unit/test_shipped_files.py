"""What we ship starts and says what is true. The rest of deploy/ is tested beside its servers."""

from __future__ import annotations

import tomllib
from pathlib import Path

from overheard.stages import STAGE_OF_MESSAGE, STAGES

ROOT = Path(__file__).parents[2]


def test_every_migration_is_packaged_as_a_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "overheard*" in project["tool"]["setuptools"]["packages"]["find"]["include"]
    folder = ROOT / "overheard/db/migrations"
    assert (folder / "__init__.py").exists()
    numbers = sorted(int(path.stem[:4]) for path in folder.glob("[0-9]*.py"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_stage_sends_to_a_stage_and_has_its_own_message_and_port() -> None:
    for stage in STAGES.values():
        assert set(stage.sends) <= set(STAGES)
        assert STAGE_OF_MESSAGE[stage.message] is stage
    assert len({stage.port_offset for stage in STAGES.values()}) == len(STAGES)
    assert len(STAGE_OF_MESSAGE) == len(STAGES)
