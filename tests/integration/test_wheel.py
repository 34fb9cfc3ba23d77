"""Build the wheel, install it into a fresh environment away from the checkout, and run the demo from there.

What only a checkout has (data files that are not packaged, paths relative to the repository, libraries that are there
for development) is missing in that place, so whatever needs it fails here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("overheard", "actors", "producers")
BUILT_FROM = (*PACKAGES, "pyproject.toml", "README.md", "LICENSE")
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")
COMMAND_SECONDS = 120
BARE_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}  # of what a shell sets: nothing of ours, not even HOME


def run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its two outputs come back as one."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=COMMAND_SECONDS,
    )


def pip(python: str, *arguments: str, folder: Path) -> None:
    """Run pip as the user who builds or installs would: with the index that is configured on this machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = run([python, *PIP, *arguments], folder, environment)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from a copy: setuptools leaves a build/ folder, whose old files would get into later wheels."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(source), folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with the locked versions of its libraries; return the folder of the environment's programs."""
    folder = tmp_path_factory.mktemp("installed")
    made = run([sys.executable, "-m", "venv", str(folder / "venv")], folder, BARE_ENVIRONMENT)
    assert made.returncode == 0, made.stdout
    bin_folder = folder / "venv/bin"
    lock = ROOT / "deploy/development.lock"
    pip(str(bin_folder / "python"), "install", "--constraint", str(lock), str(wheel), folder=folder)
    return bin_folder


def test_the_wheel_has_every_file_of_the_packages_and_the_licence(wheel: Path) -> None:
    tree = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.endswith("/")}
        about = {name for name in packed if PurePosixPath(name).parts[0].endswith(".dist-info")}
        (metadata,) = (archive.read(name).decode() for name in about if name.endswith("/METADATA"))
    assert packed - about == tree
    assert [name for name in about if name.endswith("/licenses/LICENSE")]
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nAuthor: The Overheard authors\n" in metadata


def test_the_demo_runs_from_the_wheel_and_leaves_nothing_behind(programs: Path, tmp_path: Path) -> None:
    done = run([str(programs / "overheard"), "demo", "--for", "10s"], tmp_path, BARE_ENVIRONMENT)
    assert done.returncode == 0, done.stdout
    lines = dict(line.strip().split("  ", 1) for line in done.stdout.splitlines() if "delivered and verified  " in line)
    assert int(lines["delivered and verified"].split()[0]) > 0, done.stdout
    assert "Traceback" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_installed_code_runs_and_not_the_checkout_s(programs: Path, tmp_path: Path) -> None:
    code = "import actors, overheard, producers; print(actors.__file__, overheard.__file__, producers.__file__)"
    done = run([str(programs / "python"), "-c", code], tmp_path, BARE_ENVIRONMENT)
    assert done.returncode == 0, done.stdout
    assert all(path.startswith(str(programs.parent)) for path in done.stdout.split()), done.stdout


@pytest.mark.parametrize("arguments", [["producers", "tick"], ["producers", "ingress"], ["actors", "fetch", "match"]])
def test_the_processes_start_and_say_what_is_not_configured(
    programs: Path, tmp_path: Path, arguments: list[str]
) -> None:
    done = run([str(programs / "python"), "-m", *arguments], tmp_path, BARE_ENVIRONMENT)
    assert done.returncode == 2, done.stdout
    assert "[bus] url is memory://" in done.stdout


def test_what_needs_data_files_works_from_the_wheel(programs: Path, tmp_path: Path) -> None:
    tried = run([str(programs / "overheard"), "query", "test", "a OR b", "--text", "b"], tmp_path, BARE_ENVIRONMENT)
    assert tried.returncode == 0, tried.stdout
    migrated = run([str(programs / "overheard"), "migrate"], tmp_path, BARE_ENVIRONMENT)
    assert migrated.returncode == 0, migrated.stdout
    assert (tmp_path / "overheard.db").exists()
