"""Connections to RabbitMQ: always with heartbeat and blocked timeout; errors name the server, never the password."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dramatiq
import pika
import pika.exceptions

from overheard.bus import headers
from overheard.errors import ConfigError, Unavailable

HEARTBEAT = 30
BLOCKED_TIMEOUT = 30
SCHEMES = ("amqp", "amqps")

# What a broken connection may raise. pika lets name resolution and TLS errors through as they are.
LOST = (pika.exceptions.AMQPConnectionError, pika.exceptions.AMQPChannelError, OSError)


REFUSED = (pika.exceptions.ProbableAuthenticationError, pika.exceptions.ProbableAccessDeniedError)
REFUSED_CODES = (403, 530)  # ACCESS_REFUSED; NOT_ALLOWED: no such vhost, or none of this user's


class BusUnavailable(Unavailable, dramatiq.errors.ConnectionClosed):
    """RabbitMQ cannot be used now. Dramatiq's consumers know it as their own connection error and reconnect."""


class BusRefused(BusUnavailable):
    """RabbitMQ is there, and does not take the login, the vhost, or what this user wants to do there."""


class QueueMismatch(ConfigError, dramatiq.errors.ConnectionClosed):
    """A queue exists on the server with other arguments than ours."""


def parameters(
    url: str, *, name: str = "", heartbeat: int = HEARTBEAT, blocked_timeout: float = BLOCKED_TIMEOUT
) -> Any:
    """pika's parameters for ``url``; the arguments are used where the URL's query does not set them.

    ``name`` is shown in RabbitMQ's list of connections. Raises ConfigError for a URL that cannot be used.
    """
    headers.tolerate()  # every connection of ours begins here
    try:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError("want amqp://user:password@host:5672/vhost or amqps://…")
        result = pika.URLParameters(url)
    except (ValueError, TypeError, KeyError) as error:
        # pika's own text may quote the URL, password included
        reason = str(error) if str(error).startswith("want ") else "a part of the URL has the wrong form"
        raise ConfigError([f"[bus] url: {reason}"]) from None
    given = parse_qs(parts.query)
    if "heartbeat" not in given:
        result.heartbeat = heartbeat
    if "blocked_connection_timeout" not in given:
        # without it publishers hang for as long as a memory or disk alarm lasts
        result.blocked_connection_timeout = blocked_timeout
    result.client_properties = {"connection_name": f"overheard {name}".strip(), "product": "Overheard"}
    return result


def connect(params: Any) -> Any:
    """A new BlockingConnection. Raises BusUnavailable."""
    try:
        return pika.BlockingConnection(params)
    except LOST as error:
        raise unavailable(params, error) from None


def close(connection: Any) -> None:
    """Close without complaint: who closes does not care that the other side went first."""
    try:
        if connection.is_open:
            connection.close()
    except (*LOST, AssertionError):  # pika asserts on states that a lost connection can be in
        pass


def unavailable(params: Any, error: BaseException) -> BusUnavailable:
    """The error to raise for what pika raised."""
    refused = isinstance(error, REFUSED) or getattr(error, "reply_code", None) in REFUSED_CODES
    kind = BusRefused if refused else BusUnavailable
    return kind(f"RabbitMQ at {params.host}:{params.port}{vhost(params)}: {reason(error)}")


def vhost(params: Any) -> str:
    return "" if params.virtual_host == "/" else f" (vhost {params.virtual_host})"


def reason(error: BaseException) -> str:
    """What went wrong, in words that hold no credentials."""
    if isinstance(error, pika.exceptions.ConnectionBlockedTimeout):
        return "takes no messages (memory or disk alarm); see: rabbitmq-diagnostics alarms"
    if isinstance(error, pika.exceptions.ProbableAuthenticationError):
        return "refuses the login; check user and password in [bus] url"
    if isinstance(error, pika.exceptions.ProbableAccessDeniedError):
        return "refuses the vhost; check that it exists and that the user may use it"
    code, text = getattr(error, "reply_code", None), getattr(error, "reply_text", None)
    if code:
        return f"closed with {code} {text}"
    cause: Any = error
    while isinstance(cause, BaseException) and cause.args and isinstance(cause.args[0], BaseException):
        cause = cause.args[0]
    inner = getattr(cause, "exception", None) or cause  # pika's connector errors hold the socket's
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return f"connection lost ({type(inner).__name__})"


def mismatch(text: str) -> QueueMismatch:
    """What to do about RabbitMQ's PRECONDITION_FAILED."""
    found = re.search(r"for (queue|exchange) '([^']+)'", text)
    kind, name = found.groups() if found else ("queue", "?")
    how = f"rabbitmqctl delete_queue {name}" if kind == "queue" else f"rabbitmqadmin delete exchange name={name}"
    return QueueMismatch(
        [
            f"{kind} {name} exists on RabbitMQ with other arguments than Overheard's ({text}); "
            f"let what uses it finish, then remove it with: {how}"
        ]
    )
