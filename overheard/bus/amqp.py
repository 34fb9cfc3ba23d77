"""Connections to RabbitMQ: every wait for an answer is bounded; errors name the server, never the password.

A stopped RabbitMQ process still accepts connections (its kernel does) but confirms nothing. By default heartbeats
notice that after a minute; here no call waits longer than ``ANSWER_TIMEOUT_SECONDS``, and idle consumers probe the
server.
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
    "socket_timeout": 5.0,  # to connect the socket
    "stack_timeout": 8.0,  # from connecting to the end of the handshake
}
CONSUMER_HEARTBEAT_SECONDS = 5  # RabbitMQ redelivers a vanished consumer's messages after two of them
ANSWER_TIMEOUT_SECONDS = 10.0  # for an answer, or a confirm
PROBE_INTERVAL_SECONDS = 5.0  # between two probes of an idle consumer
RETRY_WITHIN_SECONDS = 2.0  # a closed idle connection fails at once; a slower failure is an outage, not worth a retry
# Queue arguments. Quorum queues persist every message: rabbitmqadmin publishes without a delivery mode, and a classic
# queue would lose such a message on a restart.
QUORUM = {"x-queue-type": "quorum"}
SCHEMES = ("amqp", "amqps")
# A host that vanishes is noticed within 11 seconds when idle (5 + 3 × 2), within 10 when data is unacknowledged.
TCP_OPTIONS = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}


class AnswerTimeout(pika.exceptions.AMQPConnectionError):  # type: ignore[misc]
    """RabbitMQ accepted a request and did not answer in time."""


# What a broken connection may raise. pika passes name resolution and TLS errors through unchanged, and has separate
# families for failures while connecting and for a server that does not speak AMQP.
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
REFUSED_CODES = (403, 530)  # ACCESS_REFUSED; NOT_ALLOWED: the vhost does not exist, or the user may not use it


class BusUnavailable(Unavailable, dramatiq.errors.ConnectionClosed):
    """RabbitMQ cannot be used now. Also a Dramatiq connection error, so that its consumers reconnect."""


class BusRefused(BusUnavailable):
    """RabbitMQ is up and refuses the login, the vhost, or the operation."""


class QueueMismatch(ConfigError, dramatiq.errors.ConnectionClosed):
    """A queue exists on the server with arguments that differ from ours."""


def parameters(url: str, *, name: str = "") -> Any:
    """Return pika's parameters for ``url``; ``DEFAULTS`` apply where the URL's query does not set them.

    ``name`` is shown in RabbitMQ's list of connections. Raises ConfigError for an unusable URL.
    """
    tolerant_headers.install()  # every connection of ours takes its parameters from here
    try:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError("want amqp://user:password@host:5672/vhost or amqps://…")
        result = pika.URLParameters(url)
    except (ValueError, TypeError, KeyError) as error:
        # pika's own text may quote the URL, password included
        reason = str(error) if str(error).startswith("want ") else "a part of the URL has the wrong form"
        raise ConfigError([f"[bus] url: {reason}"]) from None
    query = parse_qs(parts.query)
    for option, value in DEFAULTS.items():
        if option not in query:
            setattr(result, option, value)
    result.tcp_options = {**TCP_OPTIONS, **(result.tcp_options or {})}
    result.client_properties = {"connection_name": f"overheard {name}".strip(), "product": "Overheard"}
    return result


def consuming(params: Any) -> Any:
    """Return the same parameters with the shorter heartbeat of a consuming connection.

    RabbitMQ redelivers a consumer's messages elsewhere after two missed heartbeats. A connection that only publishes
    sends none between two publishes, so its heartbeat has to be longer.
    """
    result = copy.copy(params)
    result.heartbeat = min(params.heartbeat, CONSUMER_HEARTBEAT_SECONDS)  # 0 in the URL turns heartbeats off
    return result


class DeadlineConnection(pika.BlockingConnection):  # type: ignore[misc]
    """A BlockingConnection whose calls raise AnswerTimeout after ANSWER_TIMEOUT_SECONDS without an answer."""

    def _flush_output(self, *waiters: Any) -> None:
        # All of pika's waiting happens here: for an answer, a confirm, room in the socket's buffer.
        if self.is_closed:
            super()._flush_output(*waiters)  # raises
            return
        timer = self._impl._adapter_call_later(ANSWER_TIMEOUT_SECONDS, self._give_up)
        try:
            super()._flush_output(*waiters)
        finally:
            self._impl._adapter_remove_timeout(timer)

    def _give_up(self) -> None:
        # A memory or disk alarm is announced by RabbitMQ, and pika has its own timeout for it
        # (blocked_connection_timeout).
        if self._impl._blocked_conn_timer is None:
            self._impl._terminate_stream(AnswerTimeout(f"no answer within {ANSWER_TIMEOUT_SECONDS:g} s"))


def connect(params: Any) -> Any:
    """Open a connection. Raises BusUnavailable."""
    try:
        return DeadlineConnection(params)
    except CONNECTION_ERRORS as error:
        raise unavailable(params, error) from None


def retry_once(params: Any, work: Callable[[], object], disconnect: Callable[[], object]) -> None:
    """Run ``work``; if it fails, run it once more on a new connection: the first try may have met a closed idle one.

    After a slow failure (RETRY_WITHIN_SECONDS) there is no second try. Raises BusUnavailable.
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
    """Checks that RabbitMQ still answers a consumer that receives nothing."""

    def __init__(self, channel: Any, prefetch: int) -> None:
        self._channel = channel
        self._prefetch = prefetch
        self._active_at = time.monotonic()

    def restart(self) -> None:
        """Start the idle interval anew: the connection has just delivered something."""
        self._active_at = time.monotonic()

    def probe_if_idle(self) -> None:
        """Call the server if the connection has been idle for long. Raises CONNECTION_ERRORS."""
        if time.monotonic() - self._active_at >= PROBE_INTERVAL_SECONDS:
            self._channel.basic_qos(prefetch_count=self._prefetch)  # the cheapest call, and it changes nothing
            self.restart()


def close(connection: Any) -> None:
    """Close the connection; it may be lost already."""
    try:
        if connection.is_open:
            connection.close()
    except (*CONNECTION_ERRORS, AssertionError):  # pika asserts on states that a lost connection can be in
        pass


def unavailable(params: Any, error: BaseException) -> BusUnavailable:
    """Return the BusUnavailable for an error of pika's; one that is ours already is returned as it is."""
    if isinstance(error, BusUnavailable):
        return error
    refused = isinstance(error, REFUSAL_ERRORS) or getattr(error, "reply_code", None) in REFUSED_CODES
    kind = BusRefused if refused else BusUnavailable
    return kind(f"RabbitMQ at {params.host}:{params.port}{vhost(params)}: {reason(error)}")


def vhost(params: Any) -> str:
    return "" if params.virtual_host == "/" else f" (vhost {params.virtual_host})"


def reason(error: BaseException) -> str:
    """Describe the error without credentials."""
    for kinds, description in ERROR_TEXTS:
        if isinstance(error, kinds):
            return description
    code, text = getattr(error, "reply_code", None), getattr(error, "reply_text", None)
    if code:
        return f"closed with {code} {text}"
    cause: Any = error
    while isinstance(cause, BaseException) and cause.args and isinstance(cause.args[0], BaseException):
        cause = cause.args[0]
    inner = getattr(cause, "exception", None) or cause  # pika's connector errors wrap the socket's
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return f"connection lost ({type(inner).__name__})"


def queue_mismatch(text: str) -> QueueMismatch:
    """Return the error, with its remedy, for RabbitMQ's PRECONDITION_FAILED."""
    match = re.search(r"for (queue|exchange) '([^']+)'", text)
    kind, name = match.groups() if match else ("queue", "?")
    command = f"rabbitmqctl delete_queue {name}" if kind == "queue" else f"rabbitmqadmin delete exchange name={name}"
    return QueueMismatch(
        [
            f"{kind} {name} exists on RabbitMQ with other arguments than Overheard's ({text}); "
            f"let what uses it finish, then remove it with: {command}"
        ]
    )
