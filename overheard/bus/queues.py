"""The queues on RabbitMQ: how much is in them, and whether anybody works on them. Looked at, never made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from overheard.bus import amqp
from overheard.bus.door import INGRESS, REJECTED, UNROUTED
from overheard.stages import STAGES

PATIENCE = 5.0  # seconds for each step of the way there


class Queue(msgspec.Struct, frozen=True):
    """``waiting`` may be worked on now, ``delayed`` later; ``workers`` None: nobody has ever worked on it."""

    name: str
    waiting: int
    delayed: int
    dead: int
    workers: int | None


class Door(msgspec.Struct, frozen=True):
    """What the public door keeps aside."""

    unrouted: int
    rejected: int


def look(url: str) -> tuple[list[Queue], Door]:
    """Every stage's queue, the ingress first. Raises BusUnavailable, ConfigError."""
    params = amqp.parameters(url, name="status")
    params.socket_timeout = params.stack_timeout = params.blocked_connection_timeout = PATIENCE
    connection = amqp.connect(params)
    try:
        queues = [_queue(connection, name) for name in (INGRESS, *(stage.queue for stage in STAGES.values()))]
        door = Door(*((_declared(connection, name) or (0, 0))[0] for name in (UNROUTED, REJECTED)))
    except amqp.LOST as error:
        raise amqp.unavailable(params, error) from None
    finally:
        amqp.close(connection)
    return queues, door


def waiting(url: str, names: Iterable[str]) -> int:
    """How many messages wait on these queues, their delayed ones included. Raises BusUnavailable."""
    params = amqp.parameters(url, name="backlog")
    connection = amqp.connect(params)
    try:
        found = [_queue(connection, name) for name in names]
    except amqp.LOST as error:
        raise amqp.unavailable(params, error) from None
    finally:
        amqp.close(connection)
    return sum(queue.waiting + queue.delayed for queue in found)


def _queue(connection: Any, name: str) -> Queue:
    found = _declared(connection, name)
    delayed, dead = ((_declared(connection, f"{name}{suffix}") or (0, 0))[0] for suffix in (".DQ", ".XQ"))
    return Queue(name, found[0] if found else 0, delayed, dead, found[1] if found else None)


def _declared(connection: Any, name: str) -> tuple[int, int] | None:
    """(messages, consumers) of a queue; None when there is no such queue, which closes the channel."""
    try:
        channel = connection.channel()
        answer = channel.queue_declare(name, passive=True).method
        channel.close()
    except amqp.LOST as error:
        if getattr(error, "reply_code", None) == 404:
            return None
        raise
    return int(answer.message_count), int(answer.consumer_count)
