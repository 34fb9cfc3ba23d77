"""A urllib3 pool that connects through ``egress``: one host, one attempt, only to addresses that were checked."""

from __future__ import annotations

import functools
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

import urllib3

from overheard.net.http_target import HttpTarget


def open_pool(
    target: HttpTarget, seconds: float, dial: Callable[[], socket.socket], tls: ssl.SSLContext | None = None
) -> urllib3.HTTPConnectionPool:
    """Return a pool for the target's host, whose sockets come from ``dial``. ``seconds``: urllib3's own timeout."""
    timeout = urllib3.Timeout(total=seconds)
    pool = (
        urllib3.HTTPConnectionPool(target.host, target.port, timeout=timeout)
        if target.scheme == "http"
        else urllib3.HTTPSConnectionPool(target.host, target.port, timeout=timeout, ssl_context=tls or system_tls())
    )
    # urllib3 has no hook for opening the socket. It keeps the host name for TLS (SNI, certificate) and the Host
    # header; only the socket is ours, connected to an address that was checked.
    connection_class: Any = type("Dialled", (pool.ConnectionCls,), {"_new_conn": lambda connection: dial()})
    pool.ConnectionCls = connection_class
    return pool


@functools.cache
def system_tls() -> ssl.SSLContext:
    """Return a context with the system's authorities, since that is where operators add their own."""
    # Cached, because loading the authorities takes 30 ms.
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):
        return ssl.create_default_context()
    import certifi  # some stand-alone builds of Python have no system authorities

    return ssl.create_default_context(cafile=certifi.where())
