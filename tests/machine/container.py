"""A fresh Debian in a folder, booted with its own systemd (debootstrap, systemd-nspawn).

It shares this machine's network: what it serves on loopback, we can ask for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.servers.waiting import wait_for

MIRROR = "http://deb.debian.org/debian"
BOOT_TIMEOUT = 120.0
SHUTDOWN_TIMEOUT = 400.0  # as long as the units of Overheard may take
TOOLS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
# Where systemd on this machine, or what stands in for it, still has the first version of cgroups.
NEEDS_CGROUP2 = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; "
ENVIRONMENT = {
    "HOME": "/root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


class Failed(Exception):
    """A command in the machine failed, or succeeded when it should have failed."""


class Machine:
    """A context manager. ``folder`` becomes the root file system, and is kept if ``keep`` is set."""

    def __init__(self, folder: Path, suite: str, *, keep: bool = False) -> None:
        missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
        if os.geteuid() or missing:
            raise Failed(f"this needs root, and: apt-get install {' '.join(TOOLS.values())}")
        self.folder = folder
        self.suite = suite
        self.keep = keep
        self._nspawn: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._build()
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        if self._nspawn is not None and self._nspawn.poll() is None:
            self.run("systemctl", "poweroff", "--force", check=False)
            try:
                self._nspawn.wait(SHUTDOWN_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        if not self.keep:
            shutil.rmtree(self.folder)

    def _build(self) -> None:
        if (self.folder / "etc/debian_version").exists():
            return
        packages = "systemd,systemd-sysv,dbus,ca-certificates,iproute2,procps"
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", self.suite, str(self.folder), MIRROR]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"debootstrap: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        # Whom this machine trusts, and how it reaches PyPI.
        shutil.copytree(
            "/usr/local/share/ca-certificates", self._path("/usr/local/share/ca-certificates"), dirs_exist_ok=True
        )
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", self._path("/etc/ssl/certs/ca-certificates.crt"))
        for name in ("/etc/pip.conf", "/etc/hosts"):
            if Path(name).exists():
                shutil.copy(name, self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / name.lstrip("/")

    def boot(self) -> None:
        """Boot the machine, and wait until systemd has started."""
        prepare = "" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else NEEDS_CGROUP2
        nspawn = (
            f"exec systemd-nspawn --quiet --directory={self.folder} --boot --register=no --keep-unit "
            "--resolv-conf=copy-host --timezone=off --link-journal=no --console=read-only --hostname=vps"
        )
        with (self.folder.parent / f"{self.folder.name}.log").open("wb") as log:
            self._nspawn = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", prepare + nspawn],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.await_boot()

    def await_boot(self) -> None:
        def up() -> bool:
            answer = self.run("systemctl", "is-system-running", check=False)
            return answer.stdout.strip() in ("running", "degraded")

        wait_for(up, "systemd", BOOT_TIMEOUT)

    def _init(self) -> str:
        """Return the host's process id of the machine's first process."""
        assert self._nspawn
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        return children[0] if children else "-1"

    def command(self, *command: str) -> list[str]:
        """Return the command line that runs a command in the machine, as root."""
        settings = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        namespaces = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd"]
        return ["nsenter", "--target", self._init(), *namespaces, "env", "-i", *settings, *command]

    def run(self, *command: str, check: bool = True, timeout: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run a command. Raises Failed with its output."""
        done = subprocess.run(
            self.command(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def sh(self, script: str, *, check: bool = True, timeout: float = 600.0) -> str:
        """Run a shell script and return its output, stdout and stderr."""
        done = self.run("bash", "-c", f"set -e; cd /root; exec 2>&1; {script}", check=check, timeout=timeout)
        return done.stdout

    def reboot(self) -> None:
        """Shut the machine down cleanly, and boot it again."""
        assert self._nspawn
        self.run("systemctl", "poweroff", check=False)
        self._nspawn.wait(SHUTDOWN_TIMEOUT)
        self.boot()

    def put(self, files: Sequence[str], source: Path, target: str) -> None:
        """Copy files, named relative to ``source``, into a folder of the machine."""
        folder = self._path(target)
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            if (source / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, folder / name)
