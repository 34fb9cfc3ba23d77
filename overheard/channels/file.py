"""Append messages to a file on this machine: ``file:///name.jsonl``, in the folder ``[notify] files_dir``.

Each message is one line: the JSON body that a webhook gets. There are no file channels unless the operator names a
folder, for they fill a disk of this machine. Only the name of a file directly in that folder is accepted, and no
symbolic link is followed, so nothing outside it can be written.

The line is on the disk (``fdatasync``) before the delivery counts as sent: a line that a power cut takes back would be
a message that is lost (I4). That takes some milliseconds, which is little for a channel's few messages a minute.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from overheard.channels import ChannelOptions, Pace
from overheard.channels.preview import MessagePreview, json_preview
from overheard.channels.rendering.payload import body_of
from overheard.errors import InvalidInput, RetryableError
from overheard.notices import Notice

URL = re.compile(r"file:///([A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.jsonl)", re.ASCII)
APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
OWNER_ONLY = 0o600  # texts of people, and perhaps of private feeds


class FileTransport:
    """Appends to one file. Raises InvalidInput if the operator has not allowed files, or the name is not plain."""

    kind = "file"
    signed = False
    pace: Pace | None = None

    def __init__(self, url: str, secret: str | None, options: ChannelOptions) -> None:
        if not options.files_dir:
            raise InvalidInput(
                "url: file:// channels are off; the operator turns them on with [notify] files_dir in pipeline.toml"
            )
        name = URL.fullmatch(url)
        if name is None:
            raise InvalidInput(
                "url: write file:///NAME.jsonl, a file in [notify] files_dir: letters, digits, '.', '_' and '-'"
            )
        self._folder = options.files_dir
        self._name = name[1]
        self._clock = options.clock

    def preview(self, notice: Notice) -> MessagePreview:
        """Return the line that would be appended, on several lines."""
        return json_preview(body_of(notice, now=self._clock()))

    def send(self, notice: Notice) -> None:
        """Append a line. Raises RetryableError."""
        line = body_of(notice, now=self._clock()) + b"\n"
        try:
            with _folder(self._folder) as folder:
                _append(folder, self._name, line)
        except OSError as error:
            why = "it is a symbolic link, which is not followed" if error.errno == errno.ELOOP else error.strerror
            raise RetryableError(f"cannot append to the file in [notify] files_dir: {why}") from None


@contextmanager
def _folder(path: str) -> Iterator[int]:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _append(folder: int, name: str, line: bytes) -> None:
    file = os.open(name, APPEND, OWNER_ONLY, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        fcntl.flock(file, fcntl.LOCK_EX)  # released by close: processes and threads append one after the other
        length = os.fstat(file).st_size
        if length and os.pread(file, 1, length - 1) != b"\n":
            line = b"\n" + line  # what a crash left of a line must not take this one with it
        try:
            written = os.write(file, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(file)
        except OSError:
            os.ftruncate(file, length)  # the retry appends the whole line
            raise
        if not length:
            os.fsync(folder)  # the name of a new file
    finally:
        os.close(file)
