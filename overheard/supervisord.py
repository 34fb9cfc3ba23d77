"""Query supervisord for its processes, by XML-RPC over its Unix socket."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec

from overheard.decoding import converter
from overheard.errors import Unavailable

# supervisord sets it for its programs; on a server, /usr/local/bin/overheard sets it, too.
URL_VARIABLE = "SUPERVISOR_SERVER_URL"
SCHEME = "unix://"
ANSWER_SECONDS = 5.0  # for each socket operation


class SupervisedProcess(msgspec.Struct, frozen=True):
    """One process, with supervisord's field names: https://supervisord.org/api.html (getAllProcessInfo)."""

    group: str
    name: str
    statename: str
    spawnerr: str = ""
    stdout_logfile: str = ""

    @property
    def full_name(self) -> str:
        """Return the name for ``supervisorctl``."""
        return f"{self.group}:{self.name}"

    @property
    def number(self) -> int:
        """Return the value of ``--process``: 0 for the process ``fetch_0``."""
        number = self.name.rpartition("_")[2]
        return int(number) if number.isdecimal() else 0


_to_processes = converter(list[SupervisedProcess])


def processes(url: str, *, timeout: float = ANSWER_SECONDS) -> list[SupervisedProcess]:
    """Return all processes of the supervisord at ``unix:///path``, running or not. Raises Unavailable."""
    path = url.removeprefix(SCHEME)
    try:
        with xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path, timeout)) as proxy:
            return _to_processes(proxy.supervisor.getAllProcessInfo())
    except (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError, msgspec.ValidationError) as error:
        reason = error.faultString if isinstance(error, xmlrpc.client.Fault) else str(error) or type(error).__name__
        raise Unavailable(f"supervisord does not answer on {path}: {reason}") from None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = self._connection[1] or _Connection(self._path, self._timeout)
        self._connection = host, connection  # the library closes the connection stored here
        return connection
