"""Fixtures with a real RabbitMQ: one node per test run, a fresh vhost per test."""

from __future__ import annotations

import atexit
import functools
from collections.abc import Iterator

import pytest

from tests.servers.rabbitmq import RabbitServer


@functools.cache  # so that it is one node even when several modules import the fixture
def shared_server() -> RabbitServer:
    server = RabbitServer()
    atexit.register(server.stop)
    server.start()
    return server


@pytest.fixture(scope="session")
def rabbit_server() -> Iterator[RabbitServer]:
    """The node. A test that stops it has to start it again."""
    return shared_server()


@pytest.fixture
def rabbit(rabbit_url: str) -> str:
    """The URL of a fresh vhost."""
    return rabbit_url
