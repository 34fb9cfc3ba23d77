"""How the installer treats files in /etc/overheard that it wrote, and that an operator edited or lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deploy.shell import shell


def test_files_are_recorded_by_their_whole_path(tmp_path: Path) -> None:
    body = """
    for name in prometheus prometheus-node-exporter; do echo 1 >"$1/$name"; record "$1/$name"; done
    echo 2 >"$1/prometheus"
    record "$1/prometheus"
    unchanged_since_shipped "$1/prometheus-node-exporter"
    unchanged_since_shipped "$1/prometheus"
    wc -l <"$SHIPPED"
    """
    assert shell(tmp_path, body).strip() == "2"


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        ("", ""),
        ("echo sqlite:///x >$SECRETS/database-url", "sqlite"),
        ("echo postgresql://x >$SECRETS/database-url", "postgresql"),
        ("echo x >$STATE/overheard.db", "sqlite"),
        ("echo postgresql://x >$OPERATOR/database-owner-url", "postgresql"),
        (": >$SECRETS/database-url; echo x >$STATE/overheard.db", "sqlite"),
    ],
)
def test_a_lost_url_does_not_change_the_kind_of_the_database(tmp_path: Path, there: str, kind: str) -> None:
    assert shell(tmp_path, f"{there}\ndatabase_kind").strip() == kind


def test_a_lost_url_of_another_machine_is_a_problem(tmp_path: Path) -> None:
    body = """
    echo "postgresql://overheard_owner:x@$2:5432/overheard" >$OPERATOR/database-owner-url
    check_database_url
    printf '%s\\n' "${problems[@]}"
    """
    elsewhere = shell(tmp_path, body.replace("$2", "db.example.org"))
    assert "database-url is missing or empty, and the database is on another machine" in elsewhere
    assert "postgresql://overheard:PASSWORD@HOST:5432/overheard" in elsewhere
    assert shell(tmp_path, body.replace("$2", "127.0.0.1")).strip() == ""


@pytest.mark.parametrize("value", ['"quoted"', "'quoted'", "back\\slash", "blank ", " blank"])
def test_values_that_systemd_would_change_are_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/environment").write_text(f"# a 'comment'\nOVERHEARD_LOG__LEVEL={value}\nHOME='x'\n")
    output = shell(tmp_path, "check_environment\nprintf '%s\\n' \"${problems[@]}\"")
    assert "environment: the value of OVERHEARD_LOG__LEVEL is quoted, or has a backslash" in output
    assert "OVERHEARD_LOG__LEVEL_FILE" in output


def test_bare_values_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    text = (
        'OVERHEARD_REDDIT__USER_AGENT=linux:x:1.0 (by /u/o\'neil) "so"\nOVERHEARD_BUS__URL_FILE=/a/b\nOVERHEARD_A__B=\n'
    )
    (tmp_path / "etc/environment").write_text(text)
    assert shell(tmp_path, "check_environment\nprintf '%s\\n' \"${problems[@]}\"").strip() == ""


def test_a_release_without_a_working_python_is_not_used(tmp_path: Path) -> None:
    body = """
    RELEASES=$1/releases
    for name in old new; do
        mkdir -p "$RELEASES/$name/venv/bin"
        echo digest >"$RELEASES/$name/.whole"
        printf '#!/bin/sh\\nexit 0\\n' >"$RELEASES/$name/venv/bin/overheard"
        chmod +x "$RELEASES/$name/venv/bin/overheard"
    done
    release_of digest
    printf '#!/nowhere/python\\n' >"$RELEASES/new/venv/bin/overheard"
    release_of digest
    rm "$RELEASES/old/venv/bin/overheard"
    release_of digest || echo none
    """
    assert [Path(line).name for line in shell(tmp_path, body).splitlines()] == ["new", "old", "none"]


def test_an_edited_prometheus_configuration_is_still_ours(tmp_path: Path) -> None:
    """An operator who uncomments `alerting:` still gets the rules of new releases."""
    body = """
    PROMETHEUS_ETC=$1/prometheus
    mkdir "$PROMETHEUS_ETC"
    owner() { if prometheus_is_foreign; then echo foreign; else echo ours; fi; }
    echo 'global: {}' >"$PROMETHEUS_ETC/prometheus.yml"
    owner
    record "$PROMETHEUS_ETC/prometheus.yml"
    owner
    echo 'alerting: {}' >>"$PROMETHEUS_ETC/prometheus.yml"
    owner
    """
    assert shell(tmp_path, body).split() == ["foreign", "ours", "ours"]
