"""The life of a server, in the order in which an operator would see it. Each step raises if it fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overheard.programs import PROGRAMS as SPECS
from tests.machine.container import Failed, Machine
from tests.monitoring import boards, panels
from tests.servers.sink import HttpSink
from tests.servers.waiting import wait_for

ROOT = Path(__file__).parents[2]
SOURCE = "/root/overheard"  # where an operator would unpack it
PROMETHEUS = "http://127.0.0.1:9090/api/v1"
PROGRAMS = sum(program.processes for program in SPECS.values())
WORKSPACE = "--subreddit selfhosted --subreddit python --query 'words=the OR a OR is OR to'"
# Alerts about the host that runs this test are not Overheard's fault.
OF_THE_MACHINE = {"DiskSpaceLow"}

Step = Callable[["Story"], None]


class Story:
    def __init__(self, machine: Machine, sink: HttpSink) -> None:
        self.machine = machine
        self.sink = sink
        self.secret = ""

    # -- from nothing to a delivered mention

    def a_dry_run_changes_nothing(self) -> None:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        self.machine.put(listed.stdout.split("\0")[:-1], ROOT, SOURCE)
        said = self.machine.sh(f"{SOURCE}/deploy/install --dry-run")
        assert "this was a dry run: nothing was changed" in said
        assert self.machine.sh("ls /opt /etc/overheard 2>&1", check=False).count("No such file") == 1

    def one_command_installs_it(self) -> None:
        self.machine.sh(f"{SOURCE}/deploy/install --demo-reddit", timeout=1200)

    def a_second_run_has_nothing_to_do(self) -> None:
        said = self.machine.sh(f"{SOURCE}/deploy/install --demo-reddit")
        assert "nothing to do" in said, said

    def nothing_listens_beyond_loopback(self) -> None:
        listening = self.machine.sh("ss --listening --tcp --numeric --processes --no-header").splitlines()
        # Others' sockets are this machine's, whose network it shares: their processes are not to be seen from in there.
        ours = [line for line in listening if "users:" in line]
        assert len(ours) > PROGRAMS
        assert [line for line in ours if not re.search(r" (127\.0\.0\.1|\[::1\]):\d+ ", line)] == []

    def check_and_status_are_green(self) -> None:
        self.machine.sh("overheard check")
        said = self.machine.sh("overheard status")
        assert "1 warning" in said, said
        assert "there is no workspace" in said, said

    def a_published_message_ends_in_a_signed_mention(self) -> None:
        add = f"overheard workspace add acme {WORKSPACE} --channel team={self.sink.url}/hook"
        # The receiver is on this machine, which channels may not reach by default.
        self.machine.sh("echo OVERHEARD_NOTIFY__ALLOW_PRIVATE=true >>/etc/overheard/environment")
        self.machine.sh("/opt/overheard/current/deploy/install")
        found = re.search(r"whsec_\S+", self.machine.sh(add))
        assert found
        self.secret = found[0]
        self.published_and_delivered()

    def published_and_delivered(self) -> None:
        """Trigger a run; items that are new in the simulator are delivered."""
        before = len(self.sink.arrived)

        def delivered() -> bool:
            self.machine.sh(
                "rabbitmqadmin --vhost=overheard publish exchange=overheard.events routing_key=workspace.due "
                """payload='{"workspace": "acme"}'"""
            )
            return len(self.sink.arrived) > before

        wait_for(delivered, "a delivered mention", 120)
        for request in self.sink.wait_for(before + 1)[before:]:
            assert request.verified_by(self.secret)
            assert request.json["data"]["workspace"] == "acme"

    def every_dashboard_has_data(self) -> None:
        wanting = [
            (board, panel["title"], target["expr"].replace("$__rate_interval", "5m"))
            for board, content in boards().items()
            for panel in panels(content)
            for target in panel["targets"]
        ]

        def answered() -> bool:
            self.published_and_delivered()
            wanting[:] = [each for each in wanting if not _ask("query", query=each[2])["result"]]
            return not [each for each in wanting if not each[1].startswith("Canary")]

        try:
            wait_for(answered, "dashboards", 300)
        except TimeoutError:
            raise Failed("no data: " + "\n".join(map(str, wanting))) from None

    def nothing_is_alarmed(self) -> None:
        def firing() -> set[str]:
            alerts = _ask("alerts")["alerts"]
            return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"} - OF_THE_MACHINE

        assert firing() == {"Watchdog"}, firing()

    # -- what a server goes through

    def a_process_more_is_started_and_scraped(self) -> None:
        own = "/etc/overheard/supervisord.d/own.conf"
        port = SPECS["match"].port + 9401
        self.machine.sh(f"printf '[program:match]\\nnumprocs = 2\\n' >{own}; /opt/overheard/current/deploy/install")
        self.await_well()
        assert f":{port}" in self.machine.sh("cat /etc/overheard/targets.json")
        self.machine.sh(f"rm {own}; /opt/overheard/current/deploy/install")
        self.await_well()
        assert f":{port}" not in self.machine.sh("cat /etc/overheard/targets.json")

    def every_process_may_be_killed(self) -> None:
        for program in self.programs():
            self.machine.sh(f"kill -9 $({SUPERVISORCTL} pid {program})")
        self.await_well()
        self.published_and_delivered()

    def supervisord_may_be_killed(self) -> None:
        self.machine.sh("systemctl kill --kill-whom=main --signal=KILL overheard")
        self.await_well()

    def its_servers_may_stop_and_start(self) -> None:
        for service in ("rabbitmq-server", "postgresql"):
            self.machine.sh(f"systemctl stop {service}")
            assert self.machine.run("overheard", "status", check=False).returncode == 1
            self.machine.sh(f"systemctl start {service}")
        self.await_well()
        self.published_and_delivered()

    def it_starts_with_the_machine(self) -> None:
        self.machine.reboot()
        self.await_well()
        self.published_and_delivered()

    def a_lost_secret_is_made_anew(self) -> None:
        self.machine.sh("rm /etc/overheard/secrets/database-url")
        said = self.machine.sh("overheard status", check=False)
        assert "OVERHEARD_DATABASE__URL_FILE: the secret's file cannot be read" in said, said
        self.machine.sh("/opt/overheard/current/deploy/install")
        self.await_well()
        assert "acme" in self.machine.sh("overheard workspace list")

    def another_python_gets_a_release_of_its_own(self) -> None:
        """After a system upgrade, the new Python does not find the old release's libraries."""
        old = self.release()
        self.machine.sh("rm /opt/overheard/current/venv/bin/python*")
        self.machine.sh("/opt/overheard/current/deploy/install", timeout=1200)
        assert self.release() != old, "the release is the same"
        self.await_well()

    # -- backup, restore, upgrade

    def a_backup_brings_back_what_was_removed(self) -> None:
        self.machine.sh("systemctl start overheard-backup.service")
        count = self.machine.sh("overheard mentions --format json | wc -l")
        file = self.machine.sh("ls -t /var/backups/overheard/*.tar | sed -n 1p").strip()
        self.machine.sh("overheard workspace remove acme --yes")
        self.machine.sh(f"/opt/overheard/current/deploy/restore {file}")
        self.await_well()
        assert int(self.machine.sh("overheard mentions --format json | wc -l")) >= int(count) > 0

    def an_upgrade_survives_a_cut_connection(self) -> None:
        """The operator's ssh connection breaks in the middle; the upgrade completes."""
        old = self.release()
        self.machine.sh(f"cp -a {SOURCE} {SOURCE}.new && echo >>{SOURCE}.new/CHANGELOG.md")
        terminal, its = os.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", *self.machine.command(f"{SOURCE}.new/deploy/upgrade")],
            stdin=its, stdout=its, stderr=its,
        )  # fmt: skip
        os.close(its)
        said = b""
        with open(terminal, "rb", buffering=0) as screen:
            while b"copy the database" not in said:
                said += screen.read(4096)
        # The hang-up ends nsenter, through which we came in, as it ends ssh; the upgrade is to go on behind it.
        process.wait(600)
        wait_for(self.upgraded, "the upgrade ends", 600)
        assert self.release() != old, self.machine.sh("tail -n 40 /var/log/overheard-install.log")
        self.await_well()
        self.published_and_delivered()

    def a_release_that_does_not_work_goes_back(self) -> None:
        old = self.release()
        broken = f"{SOURCE}.broken"
        self.machine.sh(f"cp -a {SOURCE} {broken} && echo 'raise SystemExit(7)' >{broken}/actors/__main__.py")
        # And its PostgreSQL does not start either.
        self.machine.sh(f"echo 'no_such_setting = 1' >>{broken}/deploy/postgresql/postgresql.conf")
        said = self.machine.sh(f"{broken}/deploy/upgrade", check=False)
        assert "going back to" in said, said
        assert "runs again, and no message was lost" in said, said
        assert self.release() == old
        self.await_well()
        self.published_and_delivered()

    # -- helpers

    def programs(self) -> list[str]:
        lines = self.machine.sh(f"{SUPERVISORCTL} status").splitlines()
        return [line.split()[0] for line in lines if "RUNNING" in line]

    def upgraded(self) -> bool:
        """Wait until no upgrade is running."""
        return not self.machine.sh("pgrep --full [d]eploy/upgrade", check=False).strip()

    def release(self) -> str:
        return self.machine.sh("readlink /opt/overheard/current").strip()

    def await_well(self) -> None:
        """Wait until all processes run and are healthy."""
        last = ""

        def well() -> bool:
            nonlocal last
            answer = self.machine.run("overheard", "status", check=False)
            last = answer.stdout + answer.stderr
            return answer.returncode == 0 and len(self.programs()) >= PROGRAMS

        try:
            wait_for(well, "overheard status", 180)
        except TimeoutError:
            raise Failed(f"it does not get well:\n{last}") from None


SUPERVISORCTL = "supervisorctl -c /etc/overheard/supervisord.conf"
STEPS: tuple[Step, ...] = (
    Story.a_dry_run_changes_nothing,
    Story.one_command_installs_it,
    Story.a_second_run_has_nothing_to_do,
    Story.nothing_listens_beyond_loopback,
    Story.check_and_status_are_green,
    Story.a_published_message_ends_in_a_signed_mention,
    Story.every_dashboard_has_data,
    Story.nothing_is_alarmed,
    Story.a_process_more_is_started_and_scraped,
    Story.every_process_may_be_killed,
    Story.supervisord_may_be_killed,
    Story.its_servers_may_stop_and_start,
    Story.it_starts_with_the_machine,
    Story.a_lost_secret_is_made_anew,
    Story.another_python_gets_a_release_of_its_own,
    Story.a_backup_brings_back_what_was_removed,
    Story.an_upgrade_survives_a_cut_connection,
    Story.a_release_that_does_not_work_goes_back,
)


def _ask(path: str, **parameters: str) -> Any:
    with urllib.request.urlopen(f"{PROMETHEUS}/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
        return json.load(answer)["data"]
