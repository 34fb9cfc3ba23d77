"""Checks of this machine: its clock, and the room on its disk."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from overheard.db.database import Db
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.wording import span
from overheard.process import RunningProcess

CLOCKS_APART_SECONDS = 5.0  # that two machines' clocks may differ
RELEASED = 1_767_225_600  # 2026-01-01: a clock before that is wrong
VAR = Path("/var")  # where RabbitMQ and PostgreSQL have their data on Debian
ROOM_BYTES = 500_000_000
ROOM_SHARE = 0.1  # of a file system


def clock(program: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that this machine's clock can be right, and is that of the database's machine."""
    now = time.time()
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < RELEASED:
        return CheckOutcome("failed", f"{when}, which is past", "set it, or let NTP do it (timedatectl set-ntp true)")
    if db is None or program.config.database.embedded:
        return CheckOutcome("ok", when)
    ahead = time.time() - db.clock()
    if abs(ahead) > CLOCKS_APART_SECONDS:
        what = f"{when}, which is {span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the database's"
        return CheckOutcome("failed", what, "let NTP set both (timedatectl set-ntp true)")
    return CheckOutcome("ok", f"{when}, as the database's")


def disk(program: RunningProcess, db: Db | None) -> CheckOutcome:
    """Check that there is room where data are kept on this machine."""
    folder = program.db.file.absolute().parent if program.config.database.embedded else VAR
    while not folder.is_dir():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    room = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.0f} GB in {folder}"
    if usage.free < ROOM_BYTES:
        return CheckOutcome("failed", room, f"make room: RabbitMQ and databases stop below {ROOM_BYTES / 1e9:g} GB")
    if usage.free < ROOM_SHARE * usage.total:
        return CheckOutcome("warning", room, "make room soon: du -xsh /var/* shows what takes it")
    return CheckOutcome("ok", room)
