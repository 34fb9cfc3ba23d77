"""The Reddit simulator of an installed demo goes along with upgrades and with failed upgrades."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deploy.conftest import Shell

# The releases from before the simulator was renamed had no file of its program.
OLD_RELEASE = 'mkdir -p "$HERE/old/deploy/supervisord"\n'
DEMO = OLD_RELEASE + 'demo_reddit=yes; install_simulator "$HERE/old"; demo_reddit=\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "etc/supervisord.d"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_upgrade_replaces_the_program_of_a_demo(shell: Shell, folder: Path) -> None:
    done = shell(f'{DEMO}ls "$ETC/supervisord.d"; install_simulator "$SOURCE"')
    assert (done.returncode, done.stdout) == (0, "standin.conf\n"), done.stderr
    assert names(folder) == ["simulator.conf"]
    assert "[program:simulator]" in (folder / "simulator.conf").read_text()


def test_a_failed_upgrade_puts_the_program_of_the_old_release_back(shell: Shell, folder: Path) -> None:
    done = shell(f'{DEMO}install_simulator "$SOURCE"; install_simulator "$HERE/old"')
    assert done.returncode == 0, done.stderr
    assert names(folder) == ["standin.conf"]
    assert "-m overheard.standin --port 8080\n" in (folder / "standin.conf").read_text()


def test_an_upgrade_that_fails_early_leaves_the_program_of_the_old_release(shell: Shell, folder: Path) -> None:
    done = shell(f'{DEMO}install_simulator "$HERE/old"; echo "; edited" >>"$ETC/supervisord.d/standin.conf"\n'
                 'install_simulator "$HERE/old"')  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("write ") == 1
    assert (folder / "standin.conf").read_text().endswith("; edited\n")


def test_an_edited_file_is_kept_where_supervisord_does_not_read_it(shell: Shell, folder: Path) -> None:
    done = shell(f'{DEMO}echo "; edited" >>"$ETC/supervisord.d/standin.conf"; install_simulator "$SOURCE"')
    assert done.returncode == 0, done.stderr
    assert names(folder) == ["simulator.conf", "standin.conf.old"]


def test_a_server_without_the_demo_gets_no_simulator(shell: Shell, folder: Path) -> None:
    done = shell(f'{OLD_RELEASE}mkdir -p "$ETC/supervisord.d"; install_simulator "$SOURCE"')
    assert done.returncode == 0, done.stderr
    assert names(folder) == []
