"""An upgrade that fails before it changes anything leaves everything as it was. The rest is tested in tests/machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deploy.conftest import Shell

# The upgrade's own steps; the library's steps around them do nothing.
UPGRADE = """
eval "$(grep -vE '^(PROGRAM=|SOURCE=|LOG=|source |main ")' deploy/upgrade)"
LOG=$HERE/log CURRENT=$HERE/current
mkdir -p "$HERE/releases/old"; ln -s "$HERE/releases/old" "$CURRENT"
preflight_checks() { old=$(readlink "$CURRENT"); }
others="lock_deployment build_release check_with_new_release install_database install_rabbitmq put_files"
others+=" start_supervision"
for step in $others; do
    eval "$step() { :; }"
done
drain() { report "drained"; }
make_backup() { die "there is no room for a backup"; }
systemctl() { :; }
main
"""


@pytest.mark.parametrize("before", [None, "OVERHEARD_LOG__LEVEL=DEBUG\n"])
def test_a_failed_backup_leaves_the_environment_and_starts_the_old_release(
    shell: Shell, tmp_path: Path, before: str | None
) -> None:
    """``before`` is the environment that an earlier upgrade kept; the operator has changed it since."""
    operator = tmp_path / "etc/operator"
    operator.mkdir(parents=True)
    environment = tmp_path / "etc/environment"
    environment.write_text("OVERHEARD_LOG__LEVEL=INFO\n")
    if before is not None:
        (operator / "environment.before-upgrade").write_text(before)
    done = shell(UPGRADE)
    assert done.returncode == 1
    assert "there is no room for a backup" in done.stderr
    assert "old runs again, and no message was lost" in done.stderr
    assert environment.read_text() == "OVERHEARD_LOG__LEVEL=INFO\n"
