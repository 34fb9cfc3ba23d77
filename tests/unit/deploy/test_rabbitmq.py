"""The installer's commands for RabbitMQ 4, for which the tests have no server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dramatiq.common import dq_name, xq_name

from overheard.bus.public_exchange import REJECTED
from overheard.stages import STAGES

from .shell import shell

VHOST = """
ctl() {
    case $1 in
        version) echo $VERSION ;;
        list_vhosts) echo overheard ;;
        list_policies) echo "$POLICIES" ;;
        *) printf '%s|' "$@" && echo ;;
    esac
}
make_vhost
"""
OLD = r"^overheard\.|\.DQ$"
NEW = r"^overheard\.|\.(DQ|XQ)$"


def policy_commands(folder: Path, version: str, pattern: str | None) -> str:
    """Return the commands that set a policy, on a server that has a policy with this pattern."""
    rows = "" if pattern is None else f"overheard\tkeep\t{pattern}\tquorum_queues\t{{}}\t0"
    given = f"VERSION='{version}' POLICIES='{rows}'\n"
    shell(folder, given + VHOST)
    return "".join(line for line in (folder / "log").read_text().splitlines() if "set_policy" in line)


@pytest.mark.parametrize("before", [None, OLD])
def test_queues_without_a_dead_letter_exchange_keep_redelivered_messages(tmp_path: Path, before: str | None) -> None:
    command = policy_commands(tmp_path, "4.1.0", before).split("|keep|")
    pattern, definition, _ = command[1].rsplit("|", 2)
    assert (pattern, definition) == (NEW, '{"delivery-limit": -1}')
    for stage in STAGES.values():
        assert re.search(pattern, dq_name(stage.queue))
        assert re.search(pattern, xq_name(stage.queue))
        assert not re.search(pattern, stage.queue), "it has a dead-letter exchange"
    assert re.search(pattern, REJECTED)


def test_no_policy_is_set_twice_or_on_older_servers(tmp_path: Path) -> None:
    assert policy_commands(tmp_path, "4.0.3", NEW) == ""
    assert policy_commands(tmp_path, "3.10.8", None) == ""


QUEUES = """
ctl() {
    case $1 in
        list_queues) printf '%s\\n' "$LISTED" ;;
        *) printf '%s ' "$@" && echo ;;
    esac
}
empty_stage_queues
"""


def test_a_restore_purges_only_the_stages_queues(tmp_path: Path) -> None:
    names = [form(stage.queue) for stage in STAGES.values() for form in (str, dq_name, xq_name)]
    rows = "\n".join(f"{name}\t3" for name in [*names, "overheard.ingress", REJECTED]) + "\nmatch.empty\t0"
    shell(tmp_path, f"LISTED='{rows}'\n{QUEUES}")
    purged = re.findall(r"^purge_queue -p overheard (\S+)", (tmp_path / "log").read_text(), re.MULTILINE)
    assert purged == [form(stage.queue) for stage in STAGES.values() for form in (str, dq_name)]
