"""Connections to RabbitMQ: every wait for an answer ends; errors name the server, never the password.

A RabbitMQ that is stopped still accepts connections (its kernel does) and confirms nothing. Heartbeats notice that
after a minute at the default; here no call waits longer than ``ANSWER_TIMEOUT_SECONDS``, and consumers probe at times.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dramatiq
import pika
import pika.exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException, AMQPConnectorStackTimeout

from overheard.bus import tolerant_headers
from overheard.errors import ConfigError, Unavailable

DEFAULTS = {  # seconds
    "heartbeat": 30,
    "blocked_connection_timeout": 30,  # without it publishers hang for as long as a memory or disk alarm lasts
    "socket_timeout": 5.0,  # for connecting a socket
    "stack_timeout": 8.0,  # from connecting to the end of the handshake
}
CONSUMER_HEARTBEAT_SECONDS = 5
ANSWER_TIMEOUT_SECONDS = 10.0  # for an answer, or a confirm
PROBE_INTERVAL_SECONDS = 5.0  # between two questions of a consumer that hears nothing
RETRY_WITHIN_SECONDS = 2.0  # a server that took longer to fail gets no second try
# Of a queue's arguments. rabbitmqadmin publishes without a delivery mode: a classic queue would lose that on a restart.
QUORUM = {"x-queue-type": "quorum"}
SCHEMES = ("amqp", "amqps")
# A host that is gone without a word is noticed within 11 seconds, data it does not confirm within 10.
TCP_OPTIONS = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}


class AnswerTimeout(pika.exceptions.AMQPConnectionError):  # type: ignore[misc]
    """RabbitMQ has taken a question and says nothing."""


# What a broken connection may raise. pika lets name resolution and TLS errors through as they are, has a family of its
# own for what fails while connecting, and another for a server that speaks something else.
CONNECTION_ERRORS = (
    pika.exceptions.AMQPConnectionError,
    pika.exceptions.AMQPChannelError,
    pika.exceptions.ProtocolSyntaxError,
    AMQPConnectorException,
    OSError,
)

ERROR_TEXTS: tuple[tuple[Any, str], ...] = (
    (
        pika.exceptions.ConnectionBlockedTimeout,
        "takes no messages (memory or disk alarm); see: rabbitmq-diagnostics alarms",
    ),
    (
        pika.exceptions.ProbableAuthenticationError,
        "refuses the login; check user and password in [bus] url",
    ),
    (
        pika.exceptions.ProbableAccessDeniedError,
        "refuses the vhost; check that it exists and that the user may use it",
    ),
    (
        (AnswerTimeout, AMQPConnectorStackTimeout, pika.exceptions.AMQPHeartbeatTimeout),
        "accepts connections, but does not answer",
    ),
)
REFUSAL_ERRORS = (pika.exceptions.ProbableAuthenticationError, pika.exceptions.ProbableAccessDeniedError)
REFUSED_CODES = (403, 530)  # ACCESS_REFUSED; NOT_ALLOWED: no such vhost, or none of this user's


class BusUnavailable(Unavailable, dramatiq.errors.ConnectionClosed):
    """RabbitMQ cannot be used now. Dramatiq's consumers know it as their own connection error and reconnect."""


class BusRefused(BusUnavailable):
    """RabbitMQ is there, and does not take the login, the vhost, or what this user wants to do there."""


class QueueMismatch(ConfigError, dramatiq.errors.ConnectionClosed):
    """A queue exists on the server with other arguments than ours."""


def parameters(url: str, *, name: str = "") -> Any:
    """pika's parameters for ``url``; ``DEFAULTS`` are used where the URL's query does not set them.

    ``name`` is shown in RabbitMQ's list of connections. Raises ConfigError for a URL that cannot be used.
    """
    tolerant_headers.install()  # every connection of ours begins here
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
    for name_of_default, value in DEFAULTS.items():
        if name_of_default not in given:
            setattr(result, name_of_default, value)
    result.tcp_options = {**TCP_OPTIONS, **(result.tcp_options or {})}
    result.client_properties = {"connection_name": f"overheard {name}".strip(), "product": "Overheard"}
    return result


def consuming(params: Any) -> Any:
    """The same parameters for a connection that consumes.

    RabbitMQ gives to others what a consumer holds that it has not heard of for two heartbeats. Connections that only
    publish send none while there is nothing to publish, so theirs are longer.
    """
    result = copy.copy(params)
    result.heartbeat = min(params.heartbeat, CONSUMER_HEARTBEAT_SECONDS)  # 0, where the URL says so, turns them off
    return result


class DeadlineConnection(pika.BlockingConnection):  # type: ignore[misc]
    """A BlockingConnection whose calls end: it raises AnswerTimeout after ANSWER_TIMEOUT_SECONDS without one."""

    def _flush_output(self, *waiters: Any) -> None:
        # Whatever pika waits for, it waits here: for the answer to a call, a confirm, room in the socket.
        if self.is_closed:
            super()._flush_output(*waiters)  # which raises
            return
        timer = self._impl._adapter_call_later(ANSWER_TIMEOUT_SECONDS, self._give_up)
        try:
            super()._flush_output(*waiters)
        finally:
            self._impl._adapter_remove_timeout(timer)

    def _give_up(self) -> None:
        # During an alarm RabbitMQ says so, and pika has a timeout of its own for it.
        if self._impl._blocked_conn_timer is None:
            self._impl._terminate_stream(AnswerTimeout(f"no answer within {ANSWER_TIMEOUT_SECONDS:g} s"))


def connect(params: Any) -> Any:
    """A new connection. Raises BusUnavailable."""
    try:
        return DeadlineConnection(params)
    except CONNECTION_ERRORS as error:
        raise unavailable(params, error) from None


def retry_once(params: Any, work: Callable[[], object], disconnect: Callable[[], object]) -> None:
    """Do ``work``; where that fails, once more on a new connection: the first may find out that an idle one is closed.

    A server that takes its time to fail gets no second try. Raises BusUnavailable.
    """
    began = time.monotonic()
    for last in (False, True):
        try:
            work()
            return
        except (BusUnavailable, *CONNECTION_ERRORS) as error:
            disconnect()
            if last or time.monotonic() - began > RETRY_WITHIN_SECONDS:
                raise unavailable(params, error) from None


class IdleProbe:
    """Whether RabbitMQ is there, asked by a consumer that hears nothing: on a call of its own, as often as it comes."""

    def __init__(self, channel: Any, prefetch: int) -> None:
        self._channel = channel
        self._prefetch = prefetch
        self._heard_at = time.monotonic()

    def heard(self) -> None:
        """Something has come."""
        self._heard_at = time.monotonic()

    def ask(self) -> None:
        """Ask when nothing has come for long. Raises what is in LOST."""
        if time.monotonic() - self._heard_at >= PROBE_INTERVAL_SECONDS:
            self._channel.basic_qos(prefetch_count=self._prefetch)  # the cheapest question, and nothing changes
            self.heard()


def close(connection: Any) -> None:
    """Close without complaint: who closes does not care that the other side went first."""
    try:
        if connection.is_open:
            connection.close()
    except (*CONNECTION_ERRORS, AssertionError):  # pika asserts on states that a lost connection can be in
        pass


def unavailable(params: Any, error: BaseException) -> BusUnavailable:
    """The error to raise for what pika raised; one of ours stays."""
    if isinstance(error, BusUnavailable):
        return error
    refused = isinstance(error, REFUSAL_ERRORS) or getattr(error, "reply_code", None) in REFUSED_CODES
    kind = BusRefused if refused else BusUnavailable
    return kind(f"RabbitMQ at {params.host}:{params.port}{vhost(params)}: {reason(error)}")


def vhost(params: Any) -> str:
    return "" if params.virtual_host == "/" else f" (vhost {params.virtual_host})"


def reason(error: BaseException) -> str:
    """What went wrong, in words that hold no credentials."""
    for kinds, words in ERROR_TEXTS:
        if isinstance(error, kinds):
            return words
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


def queue_mismatch(text: str) -> QueueMismatch:
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
