"""Another program may have our ports: moved ones are looked at before the installation, asked after it, and scraped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import xmlrpc.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer

import pytest

from overheard.programs import PROGRAMS
from tests.unit.deploy.conftest import Shell
from tests.unit.deploy.shell import ROOT

SHIPPED = ROOT / "deploy/prometheus/prometheus.yml"
WHERE = 'echo "$(metrics_host) $(metrics_port)"'


def test_the_installer_knows_every_programs_port(shell: Shell) -> None:
    done = shell('echo "${METRICS_OFFSETS[*]}"')
    assert [int(word) for word in done.stdout.split()] == sorted(program.port for program in PROGRAMS.values())


@pytest.mark.parametrize(
    ("toml", "environment", "given", "where"),
    [
        (None, "", {}, "127.0.0.1 9400"),  # before the first installation
        (None, "", {"PORT": "9500"}, "127.0.0.1 9500"),
        ("", "", {}, "127.0.0.1 9400"),
        ('[bus]\nport = 1\n[metrics]\nhost = "10.0.0.5"  # ours\nport = 9600 # ours\n', "", {}, "10.0.0.5 9600"),
        ("[metrics]\n[bus]\nport = 1\nhost = 'x'\n", "", {}, "127.0.0.1 9400"),
        ("[metrics]\nport=9600", "OVERHEARD_METRICS__PORT=9700\n", {}, "127.0.0.1 9700"),
        ("[metrics]\nport=9600", "OVERHEARD_METRICS__PORT=9700\n", {"PORT": "9800"}, "127.0.0.1 9800"),
        ("[metrics]\nhost = '0.0.0.0'\n", "", {}, "127.0.0.1 9400"),
        ('[metrics]\nhost = "::"\n', "", {}, "127.0.0.1 9400"),
        ('[metrics]\nhost = "fd00::5"\n', "", {}, "[fd00::5] 9400"),
        ("", "#OVERHEARD_METRICS__HOST=x\nOVERHEARD_METRICS__HOST=10.0.0.6\n", {}, "10.0.0.6 9400"),
    ],
)
def test_host_and_port_of_the_processes(
    shell: Shell, tmp_path: Path, toml: str | None, environment: str, given: dict[str, str], where: str
) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    if toml is not None:
        (etc / "pipeline.toml").write_text(toml)
        (etc / "environment").write_text(environment)
    environ = {f"OVERHEARD_METRICS__{key}": value for key, value in given.items()}
    done = shell(f"read_metrics_settings; {WHERE}", **environ)
    assert (done.returncode, done.stdout.strip()) == (0, where), done.stderr


def test_only_the_installer_reads_settings_from_its_environment(shell: Shell) -> None:
    assert shell(WHERE, OVERHEARD_METRICS__PORT="9500").stdout == "127.0.0.1 9400\n"


@pytest.mark.parametrize(
    ("key", "value"), [("PORT", "0"), ("PORT", "65001"), ("PORT", "http"), ("PORT", "9400x"), ("HOST", "10.0.0.5 #")]
)
def test_impossible_settings_are_refused(shell: Shell, key: str, value: str) -> None:
    done = shell("read_metrics_settings; abort_on_problems", **{f"OVERHEARD_METRICS__{key}": value})
    assert done.returncode == 1
    assert f"OVERHEARD_METRICS__{key}={value} " in done.stderr


def test_given_settings_are_kept(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "etc/environment"
    file.parent.mkdir()
    file.write_text("OVERHEARD_CONFIG=x\nOVERHEARD_METRICS__PORT=9600\n")
    keep = f"read_metrics_settings; write_metrics_settings $ETC/environment; metrics=(); {WHERE}"
    done = shell(keep, OVERHEARD_METRICS__PORT="9500", OVERHEARD_METRICS__HOST="0.0.0.0")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "127.0.0.1 9500\n"
    assert sorted(file.read_text().splitlines()) == [
        "OVERHEARD_CONFIG=x", "OVERHEARD_METRICS__HOST=0.0.0.0", "OVERHEARD_METRICS__PORT=9500",
    ]  # fmt: skip
    shell(keep)
    assert "OVERHEARD_METRICS__PORT=9500" in file.read_text()


TAKEN = """
known_to_apt() { false; }
listener() { [[ $1 == 94* ]] && echo "python3 www-data"; }
this_command() { echo deploy/install; }
read_metrics_settings; check_ports; abort_on_problems; echo free
"""


def test_taken_ports_are_reported_with_a_remedy(shell: Shell) -> None:
    done = shell(TAKEN)
    assert done.returncode == 1
    assert done.stderr.count("Overheard's metrics, is used by python3") == len(PROGRAMS)
    assert "OVERHEARD_METRICS__PORT=9500" in done.stderr


def test_moved_ports_are_free(shell: Shell) -> None:
    done = shell(TAKEN, OVERHEARD_METRICS__PORT="9500")
    assert (done.returncode, done.stdout) == (0, "free\n"), done.stderr


CONFIGURED = """
PROMETHEUS_ETC=$HERE TARGETS=/etc/overheard/targets.json
configure_prometheus "$SOURCE"
"""


def test_an_edited_prometheus_yml_is_left_with_a_notice(shell: Shell, tmp_path: Path) -> None:
    installed = tmp_path / "prometheus.yml"
    assert "was changed here" not in shell(CONFIGURED).stderr
    assert installed.read_text() == SHIPPED.read_text()
    changed = SHIPPED.read_text().replace("/etc/overheard/targets.json", "/other.json")
    installed.write_text(changed)
    done = shell(CONFIGURED)
    assert done.returncode == 0, done.stderr
    assert "was changed here, and does not read /etc/overheard/targets.json" in done.stderr
    assert installed.read_text() == changed


SUPERVISED = [("tick", 0, "RUNNING"), ("fetch", 0, "FATAL"), ("fetch", 1, "BACKOFF"), ("simulator", 0, "RUNNING")]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[str]:
    """A supervisord's answer on a socket; its URL."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # short, for a socket's path
    records = [
        {"group": name, "name": f"{name}_{number}", "statename": state, "spawnerr": "", "stdout_logfile": ""}
        for name, number, state in SUPERVISED
    ]
    body = xmlrpc.client.dumps((records,), methodresponse=True).encode()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            while b"</methodCall>" not in self.rfile.readline():  # all of it: else closing is a reset
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n")
            self.wfile.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    with ThreadingUnixStreamServer(str(folder / "sock"), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"unix://{folder}/sock"
        server.shutdown()
    shutil.rmtree(folder)


def output_of(script: str, *arguments: str, supervisor: str) -> str:
    done = subprocess.run(
        [sys.executable, f"deploy/lib/{script}.py", *arguments],
        env={"SUPERVISOR_SERVER_URL": supervisor, "PYTHONPATH": "."},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def unhealthy_processes() -> Iterator[int]:
    """Processes on another address of this machine, which are unhealthy; return the [metrics] port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b"no database")

        def log_message(self, format: str, *args: object) -> None:
            """Keep the log of the test clean."""

    with ThreadingHTTPServer(("127.0.0.2", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1] - PROGRAMS["tick"].port
        server.shutdown()


def test_healthz_checks_every_process_on_its_address(unhealthy_processes: int, supervisor: str) -> None:
    tick = f"tick:tick_0: no database (127.0.0.2:{unhealthy_processes})\n"
    lines = output_of("healthz", str(unhealthy_processes), "fetch:|digest:", "127.0.0.2", supervisor=supervisor)
    assert lines == tick
    lines = output_of("healthz", str(unhealthy_processes), "none", "127.0.0.2", supervisor=supervisor)
    assert lines == f"{tick}fetch:fetch_0 is FATAL\nfetch:fetch_1 is BACKOFF\n"
    lines = output_of("healthz", str(unhealthy_processes), "none", "127.0.0.2", supervisor="unix:///nowhere")
    assert lines.startswith("supervisord does not answer on /nowhere")


def test_targets_lists_every_process_running_or_not(supervisor: str) -> None:
    assert json.loads(output_of("targets", "9500", "10.0.0.5", supervisor=supervisor)) == [
        {"targets": ["10.0.0.5:9500"], "labels": {"program": "tick"}},
        {"targets": ["10.0.0.5:9510"], "labels": {"program": "fetch"}},
        {"targets": ["10.0.0.5:9511"], "labels": {"program": "fetch"}},
    ]


TOLD = """
TARGETS=$HERE/targets.json CURRENT=$HERE/current
mkdir -p "$CURRENT/deploy/lib"; touch "$CURRENT/deploy/lib/targets.py"
run_process_script() { echo "$* $GIVEN"; }
write_targets; cat "$TARGETS"
"""


def test_the_list_is_rewritten_when_it_changes(shell: Shell) -> None:
    first = shell(TOLD, GIVEN="one")
    assert (first.returncode, first.stdout) == (0, "targets 9400 127.0.0.1 one\n"), first.stderr
    assert "update the list of processes for Prometheus" in first.stderr
    assert shell(TOLD, GIVEN="one").stderr == ""
    assert shell(TOLD, GIVEN="two").stdout == "targets 9400 127.0.0.1 two\n"


OVERRIDES = """
check_overrides "$SOURCE"; abort_on_problems; echo fine
"""


@pytest.mark.parametrize(
    ("own", "refused"),
    [
        ("", None),
        ("[program:match]\nnumprocs = 2\n[program:recheck]\nstdout_logfile_backups = 1\n", None),
        ("[program:mine]\nautostart = true\ncommand=/bin/mine\n", None),
        ("[eventlistener:watcher]\nstderr_logfile_backups = 1\n", "[eventlistener:watcher]"),
        ("[program:mine]\ncommand = x\n[program:gone]\nnumprocs = 2\n", "[program:gone]"),
    ],
)
def test_an_override_of_a_removed_program_is_a_problem(
    shell: Shell, tmp_path: Path, own: str, refused: str | None
) -> None:
    folder = tmp_path / "etc/supervisord.d"
    folder.mkdir(parents=True)
    (folder / "own.conf").write_text(own)
    done = shell(OVERRIDES)
    if refused is None:
        assert done.stdout == "fine\n", done.stderr
    else:
        assert done.returncode == 1
        assert f"{refused} has no command" in done.stderr
