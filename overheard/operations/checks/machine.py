"""Checks of this machine: clock and disk space."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from overheard.db.database import Db
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.wording import span
from overheard.process import RunningProcess

MAX_CLOCK_SKEW_SECONDS = 5.0  # NTP keeps machines within milliseconds; chosen, not measured
EARLIEST_PLAUSIBLE_TIME = 1_767_225_600  # 2026-01-01, before the first release
DATA_FOLDER = Path("/var")  # where RabbitMQ and PostgreSQL have their data on Debian
MIN_FREE_BYTES = 1_000_000_000  # disk_free_limit of deploy/rabbitmq/rabbitmq.conf, below which RabbitMQ blocks
MIN_FREE_SHARE = 0.1  # of a file system


def clock(running: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that this machine's clock is plausible and agrees with the database's."""
    now = time.time()  # not ``running.clock``, which is the database's
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < EARLIEST_PLAUSIBLE_TIME:
        return CheckOutcome(
            "failed", f"{when}: the clock is wrong", "set it, or let NTP set it (timedatectl set-ntp true)"
        )
    # SQLite has no clock of its own: this machine's would be compared with itself.
    if db is None or running.config.database.embedded:
        return CheckOutcome("ok", when)
    # Not ``now``: only two clocks that are read one right after the other can be compared.
    ahead = time.time() - db.clock()
    if abs(ahead) > MAX_CLOCK_SKEW_SECONDS:
        what = f"{when}, which is {span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the database's"
        return CheckOutcome("failed", what, "let NTP set both (timedatectl set-ntp true)")
    return CheckOutcome("ok", f"{when}, same as the database's")


def disk(running: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check the free space where this machine keeps data."""
    folder = running.db.file.absolute().parent if running.config.database.embedded else DATA_FOLDER
    # A folder that does not exist yet will be on the file system of its parent.
    while not folder.is_dir():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    space = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.0f} GB in {folder}"
    if usage.free < MIN_FREE_BYTES:
        embedded = running.config.bus.embedded
        why = "a full disk stops everything" if embedded else f"RabbitMQ stops below {MIN_FREE_BYTES / 1e9:g} GB"
        return CheckOutcome("failed", space, f"free some: {why}")
    if usage.free < MIN_FREE_SHARE * usage.total:
        return CheckOutcome("warning", space, "free some soon: du -xsh /var/* shows what uses it")
    return CheckOutcome("ok", space)
