"""Grafana's first configuration: not with admin/admin, not on every address; and an operator's own word counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deploy.conftest import Shell


@pytest.fixture
def defaults(tmp_path: Path) -> Path:
    return tmp_path / "grafana-server"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    return tmp_path / "overheard-admin-password"


def test_it_gets_a_password_of_our_making_and_loopback(
    shell: Shell, tmp_path: Path, defaults: Path, password: Path
) -> None:
    done = shell("has_systemd() { true; }\nconfigure_grafana")
    assert done.returncode == 0, done.stderr
    assert len(password.read_text().strip()) == 32
    assert password.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "owners").read_text() == f"{password}.part root:grafana 640\n"
    assert defaults.read_text() == (
        f"GF_SERVER_HTTP_ADDR=127.0.0.1\nGF_SECURITY_ADMIN_PASSWORD='$__file{{{password}}}'\n"
    )
    assert password.read_text().strip() not in done.stderr + (tmp_path / "log").read_text()


def test_once_is_enough(shell: Shell, defaults: Path, password: Path) -> None:
    shell("configure_grafana")
    first = password.read_text(), defaults.read_text()
    done = shell("configure_grafana; echo $changes")
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    assert (password.read_text(), defaults.read_text()) == first


def test_one_that_was_cut_off_is_completed(shell: Shell, defaults: Path, password: Path) -> None:
    password.write_text("an old one")
    assert shell("configure_grafana").returncode == 0
    assert password.read_text() != "an old one"
    assert str(password) in defaults.read_text()


@pytest.mark.parametrize(
    "before",
    [
        'touch "$GRAFANA_DATABASE"',
        'echo "admin_password = mine" >"$GRAFANA_INI"',
        'echo "GF_SECURITY_ADMIN_PASSWORD=mine" >"$GRAFANA_DEFAULTS"',
    ],
)
def test_an_operators_own_password_counts(shell: Shell, defaults: Path, password: Path, before: str) -> None:
    done = shell(f"{before}\nconfigure_grafana")
    assert done.returncode == 0, done.stderr
    assert not password.exists()
    assert "$__file" not in defaults.read_text()
    assert "GF_SERVER_HTTP_ADDR=127.0.0.1\n" in defaults.read_text()


def test_the_packages_own_example_is_no_password(shell: Shell, password: Path) -> None:
    assert shell('echo ";admin_password = admin" >"$GRAFANA_INI"\nconfigure_grafana').returncode == 0
    assert password.exists()


def test_one_that_runs_is_left_alone(shell: Shell, defaults: Path, password: Path) -> None:
    script = """
    have_grafana() { true; }
    service_runs() { true; }
    keep_service() { :; }
    ship() { :; }
    install_grafana "$SOURCE"
    """
    done = shell(script)
    assert done.returncode == 0, done.stderr
    assert not password.exists()
    assert not defaults.exists()


PORT = """
listener() { [[ $1 == 3000 ]] && echo "$WHO"; }
command() { [[ $2 != grafana-server ]] && builtin command "$@"; }
have_grafana() { false; }
known_to_apt() { [[ $APT ]]; }
check_ports; abort_on_problems; echo free
"""


@pytest.mark.parametrize(
    ("who", "apt", "free"),
    [("node www-data", "yes", False), ("node www-data", "", True), ("grafana grafana", "yes", True)],
)
def test_its_port_is_looked_at_where_it_is_to_be_had(shell: Shell, who: str, apt: str, free: bool) -> None:
    done = shell(PORT, WHO=who, APT=apt)
    assert (done.stdout == "free\n") is free
    assert ("port 3000, which is for Grafana, is used by node" in done.stderr) is not free
