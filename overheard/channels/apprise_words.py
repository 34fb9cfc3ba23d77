"""What may be told of a line that Apprise logs when it could not deliver: never an echo of what was sent.

Many services put the receiver's answer into that line, and some the text that they sent; an answer may repeat what it
is an answer to, item and author. So nothing of the line's own text is kept. What is told is, in this order:

1. the error at hand, by its kind: Apprise logs where it has caught one;
2. the status at the line's end, as Apprise writes it: ``error=400``;
3. the words of the line that stand in Apprise's source, where it was logged; what it has put into them is left out.
"""

from __future__ import annotations

import http.client
import logging
import os
import re
import smtplib
import socket
import ssl
import sys
from collections.abc import Iterator
from types import CodeType

import urllib3

from overheard.channels.answers import phrase

STATUS = re.compile(r"error=([1-5]\d\d)(?:\d\d)?\W*$")  # ntfy's codes are a status with two digits more
PLACE = re.compile(r"%[-#0 +]*[\d.]*[a-zA-Z]|\{[^{}]*\}")  # where a template takes what varies
SHORTEST = 12  # characters of a beginning that says something

SLOW = (TimeoutError, urllib3.exceptions.TimeoutError)
CUT_OFF = (http.client.HTTPException, urllib3.exceptions.ProtocolError, smtplib.SMTPServerDisconnected)


def reason_of(record: logging.LogRecord) -> str:
    """Why it failed, as far as this record says it without an echo; empty when it does not. For a logging filter."""
    error = sys.exc_info()[1]
    if error is not None and (why := _fault(error)):
        return why
    found = STATUS.search(text_of(record))
    if found is None:
        return _words(record)
    status = int(found[1])
    said = f"the service answered {status} {phrase(status)}".rstrip()
    return f"{said}, and took nothing" if 200 <= status < 300 else said


def text_of(record: logging.LogRecord) -> str:
    """The whole line. A filter must raise nothing: that would break off Apprise's work."""
    try:
        return record.getMessage().strip()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def _fault(error: BaseException) -> str:
    """What went wrong with the connection; empty when that is not what the error is about."""
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


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those behind it. requests and urllib3 hold them as arguments and reasons."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _words(record: logging.LogRecord) -> str:
    code = _source(record)
    if code is None:
        return ""
    text = str(record.msg)
    constants = [constant for constant in code.co_consts if isinstance(constant, str)]
    if text in constants:
        return PLACE.sub("…", text) if record.args else text
    # It was put together before it was logged: what it begins with, up to the first thing that was put in.
    heads = (PLACE.split(constant)[0] for constant in constants)
    head = max((head for head in heads if text.startswith(head)), key=len, default="").strip(" :;,('\"")
    return f"{head} …" if len(head) >= SHORTEST else ""


def _source(record: logging.LogRecord) -> CodeType | None:
    """The code that logs the record, which is on the stack now."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == record.pathname and frame.f_code.co_name == record.funcName:
            return frame.f_code
        frame = frame.f_back  # type: ignore[assignment]
    return None
