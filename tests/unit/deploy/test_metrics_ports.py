"""Another program may have our ports: moved ones are looked at before the installation, asked after it, and scraped."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from overheard.stages import PORT_OFFSETS
from tests.unit.deploy.conftest import Shell
from tests.unit.deploy.shell import ROOT

SHIPPED = ROOT / "deploy/prometheus/prometheus.yml"
WHERE = 'echo "$(metrics_host) $(metrics_port)"'


def test_the_installer_knows_every_programs_port(shell: Shell) -> None:
    done = shell('echo "${METRICS_OFFSETS[*]}"; echo "$METRICS_WATCHER"')
    assert [int(word) for word in done.stdout.split()] == [*sorted(PORT_OFFSETS.values()), PORT_OFFSETS["watcher"]]


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
def test_where_the_processes_will_be(
    shell: Shell, tmp_path: Path, toml: str | None, environment: str, given: dict[str, str], where: str
) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    if toml is not None:
        (etc / "pipeline.toml").write_text(toml)
        (etc / "environment").write_text(environment)
    environ = {f"OVERHEARD_METRICS__{key}": value for key, value in given.items()}
    done = shell(f"take_metrics_settings; {WHERE}", **environ)
    assert (done.returncode, done.stdout.strip()) == (0, where), done.stderr


def test_only_the_installer_takes_settings_from_its_environment(shell: Shell) -> None:
    assert shell(WHERE, OVERHEARD_METRICS__PORT="9500").stdout == "127.0.0.1 9400\n"


@pytest.mark.parametrize(
    ("key", "value"), [("PORT", "0"), ("PORT", "65001"), ("PORT", "http"), ("PORT", "9400x"), ("HOST", "10.0.0.5 #")]
)
def test_impossible_settings_are_refused(shell: Shell, key: str, value: str) -> None:
    done = shell("take_metrics_settings; stop_for_problems", **{f"OVERHEARD_METRICS__{key}": value})
    assert done.returncode == 1
    assert f"OVERHEARD_METRICS__{key}={value} " in done.stderr


def test_what_was_given_is_kept(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "etc/environment"
    file.parent.mkdir()
    file.write_text("OVERHEARD_CONFIG=x\nOVERHEARD_METRICS__PORT=9600\n")
    keep = f"take_metrics_settings; write_metrics_settings $ETC/environment; metrics=(); {WHERE}"
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
take_metrics_settings; check_ports; stop_for_problems; echo free
"""


def test_taken_ports_are_told_with_the_way_out(shell: Shell) -> None:
    done = shell(TAKEN)
    assert done.returncode == 1
    assert done.stderr.count("Overheard's metrics, is used by python3") == len(PORT_OFFSETS)
    assert "OVERHEARD_METRICS__PORT=9500" in done.stderr


def test_moved_ones_are_free(shell: Shell) -> None:
    done = shell(TAKEN, OVERHEARD_METRICS__PORT="9500")
    assert (done.returncode, done.stdout) == (0, "free\n"), done.stderr


CONFIGURED = """
PROMETHEUS_ETC=$HERE
ship() { [[ ${KEPT-} ]] || cp "$1" "$HERE/${2##*/}"; }
take_metrics_settings; configure_prometheus "$SOURCE"
"""


def configured(shell: Shell, tmp_path: Path, **environ: str) -> str:
    """The prometheus.yml that is installed."""
    done = shell(CONFIGURED, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return (tmp_path / "prometheus.yml").read_text()


def test_prometheus_is_told_where_the_watcher_is(shell: Shell, tmp_path: Path) -> None:
    text = configured(shell, tmp_path, OVERHEARD_METRICS__PORT="9500", OVERHEARD_METRICS__HOST="10.0.0.5")
    wanted = yaml.safe_load(SHIPPED.read_text())
    wanted["scrape_configs"][0]["http_sd_configs"][0]["url"] = "http://10.0.0.5:9508/targets"
    assert yaml.safe_load(text) == wanted


def test_prometheus_gets_the_shipped_file_where_nothing_was_moved(shell: Shell, tmp_path: Path) -> None:
    assert configured(shell, tmp_path) == SHIPPED.read_text()


def test_a_prometheus_yml_that_was_changed_here_is_to_be_changed_by_hand(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(SHIPPED.read_text())
    done = shell(CONFIGURED, KEPT="yes", OVERHEARD_METRICS__PORT="9500")
    assert done.returncode == 0, done.stderr
    assert "does not ask http://127.0.0.1:9508/targets" in done.stderr
    assert shell(CONFIGURED, KEPT="yes").stderr == ""


@pytest.fixture
def watcher() -> Iterator[int]:
    """Processes on another address of this machine, of which one is not well; the [metrics] port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = f"127.0.0.2:{server.server_address[1]}"
            found = [{"targets": [address], "labels": {"program": name}} for name in ("tick", "fetch")]
            status, body = (200, json.dumps(found)) if self.path == "/targets" else (503, "no database")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.2", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1] - PORT_OFFSETS["watcher"]
        server.shutdown()


def test_processes_on_another_address_are_asked_how_they_are(watcher: int) -> None:
    def asked(*where: str) -> str:
        command = [sys.executable, "deploy/lib/healthz.py", str(watcher), "fetch:|recheck:", *where]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout

    assert asked("127.0.0.2") == f"tick: no database (127.0.0.2:{watcher + 8})\n"
    assert asked().startswith(f"watcher: 127.0.0.1:{watcher + 8} does not say which processes there are")
