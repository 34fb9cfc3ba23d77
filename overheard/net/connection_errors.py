"""Describe a failed connection in our own words: an error's own text may contain addresses, or what was sent."""

from __future__ import annotations

import http.client
import os
import smtplib
import socket
import ssl
from collections.abc import Iterator

import urllib3

TIMEOUT_ERRORS = (TimeoutError, urllib3.exceptions.TimeoutError)
DISCONNECT_ERRORS = (http.client.HTTPException, urllib3.exceptions.ProtocolError, smtplib.SMTPServerDisconnected)


def describe_connection_error(error: BaseException | None) -> str:
    """Return what went wrong with the connection; an empty string if the error is not about one."""
    chain = list(_chain(error))
    # The specific causes first: a resolution or TLS error is an OSError as well, and its errno says less.
    for cause in chain:
        if isinstance(cause, socket.gaierror | urllib3.exceptions.NameResolutionError):
            return "its name cannot be resolved"
        if isinstance(cause, smtplib.SMTPResponseException):
            return f"the mail server answered {cause.smtp_code} ({type(cause).__name__})"
        if isinstance(cause, ssl.SSLError) and cause.reason:
            why = getattr(cause, "verify_message", None) or cause.reason
            return f"its certificate or TLS setup was not accepted ({why})"
    for cause in chain:
        if isinstance(cause, OSError) and isinstance(cause.errno, int) and cause.errno > 0:
            return os.strerror(cause.errno).lower()
    if any(isinstance(cause, TIMEOUT_ERRORS) for cause in chain):
        return "it did not answer in time"
    if any(isinstance(cause, DISCONNECT_ERRORS) for cause in chain):
        return "it closed the connection without a complete answer"
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes. requests and urllib3 keep theirs in ``args`` and ``reason``."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            pending += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
