"""A server's backup leaves a timestamp, so that a missing one is noticed. More in tests/integration/test_backup.py."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from overheard.operations.facts import BACKUP_MARK
from tests.unit.deploy.conftest import Shell

# Replaced parts of the library: a database of 101 MB, and 1,702 MB of free space.
BACKUP = """
read_facts() { db=([kind]=sqlite [schema]=0001 [megabytes]=101); }
df() { printf 'Avail\\n1702\\n'; }
shares_disk() { [[ $2 == /var/lib/rabbitmq ]]; }
dump_database() { echo data >"$1/database.sqlite"; }
echo '[tick]' >"$ETC/pipeline.toml"
"""


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "state" / BACKUP_MARK.name


def test_the_mark_is_where_status_and_the_node_exporter_read_it(shell: Shell) -> None:
    assert shell('source "$SOURCE/deploy/lib/archive.sh"; echo "$BACKUP_MARK"').stdout == f"{BACKUP_MARK}\n"
    command = ["prometheus-node-exporter", "--help"]
    help = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    directory = re.search(r'collector\.textfile\.directory="([^"]+)"', help.stdout + help.stderr)
    assert directory
    assert Path(directory[1]) == BACKUP_MARK.parent


def test_a_backup_of_the_server_leaves_a_world_readable_mark(shell: Shell, tmp_path: Path, mark: Path) -> None:
    done = shell(BACKUP + 'touch -d 2026-01-01 "$BACKUP_MARK"; make_backup "$BACKUPS" 14; ls "$BACKUPS"')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("overheard-2")
    assert time.time() - mark.stat().st_mtime < 60
    assert f"{mark}.part root:root 644\n" in (tmp_path / "owners").read_text()
    (family,) = text_string_to_metric_families(mark.read_text())
    assert family.name == "overheard_backup_last_success_timestamp_seconds"
    assert time.time() - family.samples[0].value < 60


@pytest.mark.parametrize("failure", ["dump_database() { false; }", "verify_backup() { die damaged; }"])
def test_a_failed_backup_leaves_no_mark(shell: Shell, mark: Path, failure: str) -> None:
    done = shell(f'{BACKUP}{failure}\nmake_backup "$BACKUPS" 14')
    assert done.returncode == 1, done.stderr
    assert not mark.exists()


def test_a_backup_of_another_database_leaves_no_mark(shell: Shell, mark: Path) -> None:
    done = shell(f'{BACKUP}installed=; cd "$HERE"; make_backup "$BACKUPS" 14')
    assert done.returncode == 0, done.stderr
    assert not mark.exists()


@pytest.mark.parametrize(
    ("change", "needed"),
    [
        ("db[megabytes]=102", 1704),
        ("db[megabytes]=852; shares_disk() { false; }", 1704),  # on a disk of its own
        ("db[megabytes]=852; installed=", 1704),  # in a checkout
        ("db[megabytes]=101", None),
        ("db[megabytes]=851; installed=", None),
    ],
)
def test_a_backup_needs_space_for_copy_archive_and_rabbitmq(shell: Shell, change: str, needed: int | None) -> None:
    done = shell(
        f'{BACKUP}cd "$HERE"\nread_facts() {{ db=([kind]=sqlite [schema]=1); {change}; }}\nmake_backup "$BACKUPS" 14'
    )
    if needed is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1
        assert f"has 1702 MB free, and a backup needs {needed} MB" in done.stderr


SET_UP = 'ship_unit() { :; }; systemctl() { :; }\ninstall_backups "$SOURCE"'


def test_setting_backups_up_creates_the_mark_once(shell: Shell, mark: Path) -> None:
    assert shell(SET_UP).returncode == 0
    os.utime(mark, (1e9, 1e9))
    done = shell(SET_UP)
    assert done.returncode == 0, done.stderr
    assert mark.stat().st_mtime == 1e9
    assert "count from now on" not in done.stderr
