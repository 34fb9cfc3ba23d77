"""The shipped files match the code. The rest of deploy/ is tested with its servers."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from deploy.grafana.colours import STAGES as STAGE_COLOURS
from overheard.bus import amqp, worker
from overheard.programs import PROGRAMS
from overheard.sources.registry import streamed
from overheard.stages import STAGES, followers

ROOT = Path(__file__).parents[2]
FOLDERS = ("/opt/overheard/current/", "/var/lib/overheard", "/var/log/overheard/", "/run/overheard/")


@pytest.fixture(scope="module")
def supervisord() -> configparser.RawConfigParser:
    """Return the file as supervisord reads it, but refuse duplicates."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string((ROOT / "deploy/supervisord/supervisord.conf").read_text())
    return parser


@pytest.fixture(scope="module")
def programs(supervisord: configparser.RawConfigParser) -> dict[str, configparser.SectionProxy]:
    """Return the sections of the programs by name."""
    return {name.partition(":")[2]: supervisord[name] for name in supervisord.sections() if name.startswith("program:")}


def test_every_migration_is_packaged_as_a_module() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "overheard*" in project["tool"]["setuptools"]["packages"]["find"]["include"]
    folder = ROOT / "overheard/db/migrations"
    assert (folder / "__init__.py").exists()
    numbers = sorted(int(path.stem[:4]) for path in folder.glob("[0-9]*.py"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_message_given_is_taken_and_every_port_is_unique() -> None:
    taken = {stage.takes for stage in STAGES.values()}
    for stage in STAGES.values():
        assert set(stage.gives) <= taken
    assert len({stage.port for stage in STAGES.values()}) == len(STAGES)


def test_every_stages_handler_exists() -> None:
    for stage in STAGES.values():
        module, _, name = stage.handler.partition(":")
        assert callable(getattr(import_module(module), name))


def test_messages_go_down_the_table() -> None:
    assert {name: [each.name for each in followers(stage)] for name, stage in STAGES.items()} == {
        "fetch": ["match", "fetch"],
        "match": ["store"],
        "store": ["notify"],
        "notify": ["notify"],
        "digest": ["notify"],
        "recheck": ["recheck", "match"],
    }


def test_supervisord_runs_every_stage_and_producer_once(programs: dict[str, configparser.SectionProxy]) -> None:
    command = re.compile(
        r"/opt/overheard/current/venv/bin/python -m (actors|producers) ([a-z ]+) --process %\(process_num\)d"
    )
    found = {name: command.fullmatch(section["command"]) for name, section in programs.items()}
    run = Counter[str]()
    for name, match in found.items():
        assert match, name
        names = match[2].split()
        assert names[0] == name, "which is where operators look for it, and whose port it has"
        assert match[1] == ("actors" if name in STAGES else "producers")
        run.update((["stream"] if name == "stream" else names) * int(programs[name]["numprocs"]))
    assert programs["stream"]["command"].split()[-3:-2] == streamed()
    assert run == dict.fromkeys([*STAGES, "tick", "ingress", "stream"], 1)


def test_a_stage_in_another_program_can_get_its_own_processes(programs: dict[str, configparser.SectionProxy]) -> None:
    """An operator's setting for it from an older release must not keep supervisord from starting."""
    shared = {stage.name for stage in STAGES.values() if stage.program != stage.name}
    assert shared == {name for name, section in programs.items() if section["numprocs"] == "0"}
    for name in shared:
        assert STAGES[STAGES[name].program].program == STAGES[name].program
        assert programs[name]["command"].endswith(f"-m actors {name} --process %(process_num)d")


def test_each_supervised_process_has_a_metrics_port_of_its_own(programs: dict[str, configparser.SectionProxy]) -> None:
    assert programs.keys() == PROGRAMS.keys()
    taken: set[int] = set()
    for name, program in PROGRAMS.items():
        room = set(range(program.port, program.port + program.max_processes))
        assert not room & taken, name
        taken |= room
        assert programs[name]["process_name"] == "%(program_name)s_%(process_num)d"


def documented(path: str, pattern: str) -> list[str]:
    """Return the names in the one place of a document that ``pattern`` finds."""
    (found,) = re.findall(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return re.findall(r"[a-z]+", str(found))


def test_hand_written_lists_of_stages_match_the_table() -> None:
    stages = list(STAGES)
    assert documented("README.md", r"^python -m actors ([a-z ]+?) &") == stages
    assert documented("docs/logs.md", r"^\| `stage` \| ([a-z, ]+);") == stages
    rows = re.findall(
        r"^\| ([a-z]+) \| `([a-z.]+)` \| `(\w+)` \| (.*?) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE
    )
    assert [name for name, *_ in rows] == stages
    for name, queue, takes, sends in rows:
        stage = STAGES[name]
        assert (queue, takes) == (stage.queue, stage.takes.__name__)
        following = [given.__name__ for given in stage.gives if given is not stage.takes]
        assert re.findall(r"`(\w+)`", sends) == following, name
        assert ("its own message" in sends) == (stage.takes in stage.gives), name
    colours = {*STAGES, "ingress", "overheard.ingress", "tick"}
    assert set(STAGE_COLOURS) == colours
    top = documented("docs/operations.md", r"Overheard's (\w+) processes")
    assert top == ["eight"]
    assert sum(program.processes for program in PROGRAMS.values()) == 8


def test_supervised_processes_end_in_good_order(programs: dict[str, configparser.SectionProxy]) -> None:
    for section in programs.values():
        assert section["stopsignal"] == "TERM"
        assert not section.getboolean("stopasgroup"), "a second TERM would end a worker at once"
        assert section.getboolean("killasgroup")
        assert section.getint("stopwaitsecs") >= worker.SHUTDOWN_SECONDS + 10
        assert section.getint("stopwaitsecs") >= amqp.DEFAULTS["blocked_connection_timeout"] + 10
    # supervisord stops from high to low.
    stopped = sorted(programs, key=lambda name: -programs[name].getint("priority"))
    assert stopped[:2] == ["tick", "ingress"]
    for name, stage in STAGES.items():
        assert all(stopped.index(name) <= stopped.index(each.name) for each in followers(stage)), name
    assert len({section["priority"] for section in programs.values()}) == len(programs)


def test_supervised_processes_are_restarted(programs: dict[str, configparser.SectionProxy]) -> None:
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
        assert logs or not name.startswith(("program:", "supervisord")), name


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
