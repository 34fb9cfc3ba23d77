"""Asks supervisord for its processes, by XML-RPC over its Unix socket."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec

from overheard.errors import ConfigError, Unavailable

SCHEME = "unix://"
TIMEOUT = 5.0  # seconds for each step of the way there and back


class Process(msgspec.Struct, frozen=True):
    """One process, in supervisord's words. ``state`` is in lower case; ``log`` is where its output goes."""

    group: str
    name: str
    state: str
    log: str = ""
    reason: str = ""

    @property
    def full_name(self) -> str:
        """As ``supervisorctl`` wants it."""
        return f"{self.group}:{self.name}"

    @property
    def program(self) -> str:
        """``fetch`` for the process ``fetch_0``."""
        program, _, number = self.name.rpartition("_")
        return program if program and number.isdecimal() else self.name

    @property
    def number(self) -> int:
        """0 for the process ``fetch_0``; what ``--process`` was given."""
        _, _, number = self.name.rpartition("_")
        return int(number) if number.isdecimal() else 0


class Answer(msgspec.Struct):
    """What we read of a process's record: https://supervisord.org/api.html#supervisor.rpcinterface"""

    group: str
    name: str
    statename: str
    spawnerr: str = ""
    stdout_logfile: str = ""
    stderr_logfile: str = ""


class Supervisord:
    """The supervisord behind ``url``, a ``unix://`` address as it gives its programs in SUPERVISOR_SERVER_URL."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        path = url.removeprefix(SCHEME)
        if not url.startswith(SCHEME) or not path.startswith("/"):
            raise ConfigError([f"supervisord is to be reached on a Unix socket (unix:///path), not on {url!r}"])
        self.url = url
        self._timeout = timeout
        self._path = path

    def processes(self) -> list[Process]:
        """All of them. Raises Unavailable."""
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(self._path, self._timeout))
        try:
            with proxy:
                answer = proxy.supervisor.getAllProcessInfo()
            return [_process(each) for each in msgspec.convert(answer, list[Answer])]
        except (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError, msgspec.ValidationError) as error:
            raise Unavailable(f"supervisord does not answer on {self._path}: {_words(error)}") from None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._patience = timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._patience)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = self._connection[1] or _Connection(self._path, self._timeout)
        self._connection = host, connection  # where the library looks for what it has to close
        return connection


def _process(answer: Answer) -> Process:
    log = answer.stdout_logfile or answer.stderr_logfile
    return Process(answer.group, answer.name, answer.statename.lower(), log, answer.spawnerr)


def _words(error: BaseException) -> str:
    if isinstance(error, xmlrpc.client.Fault):
        return str(error.faultString)
    return str(error) or type(error).__name__
