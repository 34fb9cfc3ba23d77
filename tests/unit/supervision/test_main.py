"""The watcher's start: with what configuration it works, and where it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from overheard.errors import ConfigError
from overheard.metrics import ProcessMetrics
from overheard.supervision.__main__ import BACKUP_MARK, configuration, last_backup
from tests.servers.ports import free_ports


def test_what_others_cannot_start_with_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text('[metrics]\nport = 9500\n[reddit]\nburst = "many"\n[redit]\n')
    environ = {"OVERHEARD_BUS__URL_FILE": "/nowhere", "OVERHEARD_NONSENSE": "1", "OVERHEARD_LOG__LEVEL": "ERROR"}
    config, faults = configuration(path, environ)
    assert (config.metrics.port, config.log.level, faults) == (9500, "ERROR", [])


@pytest.mark.parametrize("text", ["not TOML", "[metrics]\nport = 70000\n", "[metrics]\nprot = 1\n"])
def test_without_a_readable_configuration_it_is_where_the_defaults_are(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(text)
    config, faults = configuration(path, {})
    assert config.metrics.port == 9400
    assert [str(path) in fault for fault in faults] == [True]


def test_any_free_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="port is 0"):
        configuration(None, {"OVERHEARD_METRICS__PORT": "0"})


def test_the_last_backup_is_as_old_as_its_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    registry = CollectorRegistry()
    ProcessMetrics(registry).backup_last_success.set_function(last_backup)
    shown = partial(registry.get_sample_value, "overheard_backup_last_success_timestamp_seconds")
    assert shown() is None
    BACKUP_MARK.touch()
    os.utime(BACKUP_MARK, (1e9, 1e9))
    assert shown() == 1e9
    BACKUP_MARK.unlink()
    assert shown() is None


def started(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "overheard.supervision"],
        env=environ, cwd=tmp_path, input="hello\n", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_started_by_hand_it_says_who_should(tmp_path: Path) -> None:
    done = started(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("overheard: the watcher has to be started by supervisord")
    assert done.stdout == ""


def test_it_ends_when_it_is_told_nonsense(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    done = started(tmp_path, SUPERVISOR_SERVER_URL=f"unix://{tmp_path}/nobody", OVERHEARD_METRICS__PORT=str(port - 8))
    assert done.returncode == 1
    assert "want words like name:value, got 'hello'" in done.stderr
    assert done.stdout == "READY\n"  # only the protocol
