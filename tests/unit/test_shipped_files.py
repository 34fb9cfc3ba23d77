"""What we ship starts and says what is true. The rest of deploy/ is tested beside its servers."""

from __future__ import annotations

import configparser
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from overheard.bus import worker
from overheard.config import Config
from overheard.stages import PORT_OFFSETS, STAGES, followers

ROOT = Path(__file__).parents[2]
FOLDERS = ("/opt/overheard/current/", "/var/lib/overheard", "/var/log/overheard/", "/run/overheard/")
ROOM = {"tick": 5, "ingress": 3, "watcher": 1}  # metrics ports that a program may use; a stage: 10


@pytest.fixture(scope="module")
def supervisord() -> configparser.RawConfigParser:
    """The file as supervisord reads it, but that nothing may be there twice."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string((ROOT / "deploy/supervisord/supervisord.conf").read_text())
    return parser


@pytest.fixture(scope="module")
def programs(supervisord: configparser.RawConfigParser) -> dict[str, configparser.SectionProxy]:
    """The sections of the programs, the watcher's included, by name."""
    kinds = ("program:", "eventlistener:")
    return {name.partition(":")[2]: supervisord[name] for name in supervisord.sections() if name.startswith(kinds)}


def test_every_migration_is_packaged_as_a_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "overheard*" in project["tool"]["setuptools"]["packages"]["find"]["include"]
    folder = ROOT / "overheard/db/migrations"
    assert (folder / "__init__.py").exists()
    numbers = sorted(int(path.stem[:4]) for path in folder.glob("[0-9]*.py"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_every_stage_gives_is_taken_and_each_has_a_port_of_its_own() -> None:
    taken = {stage.takes for stage in STAGES.values()}
    for stage in STAGES.values():
        assert set(stage.gives) <= taken
    assert len({stage.port_offset for stage in STAGES.values()}) == len(STAGES)


def test_every_stage_s_handler_is_there() -> None:
    for stage in STAGES.values():
        module, _, name = stage.handler.partition(":")
        assert callable(getattr(import_module(module), name))


def test_what_is_given_goes_down_the_table() -> None:
    assert {name: [each.name for each in followers(stage)] for name, stage in STAGES.items()} == {
        "fetch": ["match", "fetch"],
        "match": ["store"],
        "store": ["notify"],
        "notify": ["notify"],
        "digest": ["notify"],
        "recheck": ["recheck"],
    }


def test_supervisord_starts_every_program_once(programs: dict[str, configparser.SectionProxy]) -> None:
    python = "/opt/overheard/current/venv/bin/python -m "
    wanted = {name: f"{python}actors {name} --process %(process_num)d" for name in STAGES}
    wanted |= {name: f"{python}producers {name} --process %(process_num)d" for name in ("tick", "ingress")}
    wanted["watcher"] = f"{python}overheard.supervision"
    assert {name: section["command"] for name, section in programs.items()} == wanted


def test_each_supervised_process_has_a_metrics_port_of_its_own(programs: dict[str, configparser.SectionProxy]) -> None:
    assert programs.keys() == PORT_OFFSETS.keys()
    taken: set[int] = set()
    for name, offset in PORT_OFFSETS.items():
        room = set(range(offset, offset + ROOM.get(name, 10)))
        assert not room & taken, name
        taken |= room
        assert int(programs[name].get("numprocs", "1")) == 1
        if name != "watcher":
            assert programs[name]["process_name"] == "%(program_name)s_%(process_num)d"


def test_supervised_processes_end_in_good_order(programs: dict[str, configparser.SectionProxy]) -> None:
    for name, section in programs.items():
        assert section["stopsignal"] == "TERM"
        assert not section.getboolean("stopasgroup"), "a second TERM would end a worker at once"
        assert section.getboolean("killasgroup")
        if name != "watcher":
            assert section.getint("stopwaitsecs") >= worker.SHUTDOWN + 10
            assert section.getint("stopwaitsecs") >= Config().bus.blocked_timeout + 10
    # supervisord stops from high to low.
    stopped = sorted(programs, key=lambda name: -programs[name].getint("priority"))
    assert stopped[:2] == ["tick", "ingress"]
    assert stopped[-1] == "watcher"
    for name, stage in STAGES.items():
        assert all(stopped.index(name) <= stopped.index(each.name) for each in followers(stage)), name
    assert len({section["priority"] for section in programs.values()}) == len(programs)


def test_supervised_processes_are_started_again(programs: dict[str, configparser.SectionProxy]) -> None:
    for name, section in programs.items():
        assert section["autorestart"] == "true"
        assert section["exitcodes"] == "0"
        assert section.getint("startretries") >= 100, f"{name}: FATAL is final"


def test_supervisord_s_logs_are_rotated(supervisord: configparser.RawConfigParser) -> None:
    for name in supervisord.sections():
        logs = [key.removesuffix("logfile") for key in supervisord[name] if key.endswith("logfile")]
        for log in logs:
            if supervisord[name][f"{log}logfile"] != "NONE":
                assert supervisord[name][f"{log}logfile_maxbytes"] == "10MB", name
                assert int(supervisord[name][f"{log}logfile_backups"]) >= 1, name
        assert logs or not name.startswith(("program:", "eventlistener:", "supervisord")), name


def test_supervisord_listens_to_its_user_only(supervisord: configparser.RawConfigParser) -> None:
    assert "inet_http_server" not in supervisord
    assert supervisord["unix_http_server"]["chmod"] == "0700"
    assert supervisord["supervisord"]["user"] == "overheard"
    assert supervisord["supervisorctl"]["serverurl"] == f"unix://{supervisord['unix_http_server']['file']}"


def test_supervisord_s_paths_are_those_of_an_installation(supervisord: configparser.RawConfigParser) -> None:
    values = " ".join(value for section in supervisord.values() for value in section.values())
    paths = re.findall(r"(?<![\w.])/[\w./%()]+", values.replace("unix://", ""))
    assert paths
    assert [path for path in paths if not path.startswith(FOLDERS)] == []


def test_systemd_waits_until_supervisord_has_stopped_everything(
    programs: dict[str, configparser.SectionProxy],
) -> None:
    unit = configparser.RawConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((ROOT / "deploy/systemd/overheard.service").read_text())
    service = unit["Service"]
    # It stops one program after the other.
    assert service.getint("TimeoutStopSec") > sum(section.getint("stopwaitsecs") for section in programs.values())
    assert service["KillMode"] == "mixed", "TERM for supervisord alone: it hands it on in order"
    assert (service["User"], service["Restart"]) == ("overheard", "always")
    assert service["ExecStart"] == "/usr/bin/supervisord -n -c /etc/overheard/supervisord.conf"
