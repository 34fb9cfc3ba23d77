"""What went wrong with a connection, in words of ours: an error's own text may hold addresses, or what was sent."""

from __future__ import annotations

import http.client
import os
import smtplib
import socket
import ssl
from collections.abc import Iterator

import urllib3

SLOW = (TimeoutError, urllib3.exceptions.TimeoutError)
CUT_OFF = (http.client.HTTPException, urllib3.exceptions.ProtocolError, smtplib.SMTPServerDisconnected)


def fault(error: BaseException | None) -> str:
    """Return what an error says of the connection; empty when that is not what it is about."""
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, socket.gaierror | urllib3.exceptions.NameResolutionError):
            return "its name cannot be resolved"
        if isinstance(each, smtplib.SMTPResponseException):
            return f"the mail server answered {each.smtp_code} ({type(each).__name__})"
        if isinstance(each, ssl.SSLError) and each.reason:
            why = getattr(each, "verify_message", None) or each.reason
            return f"its certificate or TLS setup was not accepted ({why})"
    for each in chain:
        if isinstance(each, OSError) and isinstance(each.errno, int) and each.errno > 0:
            return os.strerror(each.errno).lower()
    if any(isinstance(each, SLOW) for each in chain):
        return "it did not answer in time"
    if any(isinstance(each, CUT_OFF) for each in chain):
        return "it closed the connection without a complete answer"
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those behind it. requests and urllib3 hold them as arguments and reasons."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
