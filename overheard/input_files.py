"""Files named by users: open them without hanging, read up to a limit, parse without a traceback."""

from __future__ import annotations

import os
import re
import select
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO

from overheard.errors import InvalidInput

FIFO_MAX_WAIT_SECONDS = 5.0  # for a writer of a named pipe
REASON_MAX_CHARS = 200
# tomllib's time is quadratic in a dotted key's length: a.a.a… of 200 kB would take minutes. The pattern also matches
# inside strings, which does no harm: no text has 64 words with nothing but full stops between them.
ENDLESS_KEY = re.compile(r"""(?<![\w"'-])(?:(?:[\w-]+|"[^"\n.]*"|'[^'\n.]*')[ \t]*\.[ \t]*){64}""")


def open_for_reading(path: str | Path) -> BinaryIO:
    """Open a file for reading. Raises OSError, and InvalidInput for a folder, or a named pipe that nobody writes to."""
    # Without O_NONBLOCK, opening a named pipe blocks until it has a writer.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(file).st_mode
        if stat.S_ISDIR(mode):
            raise InvalidInput(f"{path}: cannot be read: it is a folder; name a file")
        # A shell passes <(command) as a pipe under /dev/fd; the command may take its time.
        if stat.S_ISFIFO(mode) and not str(path).startswith("/dev/") and not _has_data(file):
            waited = f"nothing came for {FIFO_MAX_WAIT_SECONDS:g} s"
            raise InvalidInput(f"{path}: cannot be read: it is a named pipe, and {waited}")
        os.set_blocking(file, True)
        return os.fdopen(file, "rb")
    except BaseException:
        os.close(file)
        raise


def _has_data(file: int) -> bool:
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(FIFO_MAX_WAIT_SECONDS * 1000))


def read_limited(file: BinaryIO, where: str, limit: int) -> bytes:
    """Read a whole file. Raises InvalidInput if it has more than ``limit`` bytes: /dev/zero never ends."""
    data = file.read(limit + 1)
    if len(data) > limit:
        raise InvalidInput(f"{where}: larger than the {limit:,} bytes that are allowed; split it")
    return data


def parse_toml(data: bytes, where: str) -> dict[str, Any]:
    """Parse a TOML file in UTF-8, with or without a BOM. Raises InvalidInput for any other bytes."""
    try:
        text = data.decode("utf-8-sig")
        if ENDLESS_KEY.search(text):
            raise InvalidInput(f"{where}: not valid TOML: a key of more than 64 parts")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{where}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{where}: not valid TOML: {str(error)[:REASON_MAX_CHARS]}") from None
    except RecursionError:
        raise InvalidInput(f"{where}: not valid TOML: brackets are nested too deeply") from None
    except ValueError as error:  # Python converts no integer of more than 4,300 digits, and no date of a year 0
        reason = "a number has too many digits" if "digits" in str(error) else str(error)[:REASON_MAX_CHARS]
        raise InvalidInput(f"{where}: not valid TOML: {reason}") from None
