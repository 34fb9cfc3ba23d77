from __future__ import annotations

import pytest

from overheard.bus import amqp
from overheard.errors import ConfigError
from tests.servers.ports import free_ports


def test_heartbeat_and_blocked_timeout_are_never_absent() -> None:
    given = amqp.parameters("amqp://u:p@h:1/v", name="fetch")
    assert (given.heartbeat, given.blocked_connection_timeout) == (30, 30)
    assert given.client_properties["connection_name"] == "overheard fetch"
    given = amqp.parameters("amqp://u:p@h:1/v?heartbeat=7&blocked_connection_timeout=2")
    assert (given.heartbeat, given.blocked_connection_timeout) == (7, 2)


@pytest.mark.parametrize(
    "url", ["amqp://", "http://u:hunter2@h", "amqp://u:hunter2@h:port/", "amqp://u:hunter2@h/?heartbeat=x", ""]
)
def test_a_bad_url_is_a_config_error_without_the_password(url: str) -> None:  # fmt: skip
    with pytest.raises(ConfigError, match=r"\[bus\] url") as caught:
        amqp.parameters(url)
    assert "hunter2" not in str(caught.value)


def test_a_refused_connection_names_the_server_and_not_the_password() -> None:
    (port,) = free_ports(1)
    with pytest.raises(amqp.BusUnavailable) as caught:
        amqp.connect(amqp.parameters(f"amqp://user:hunter2@127.0.0.1:{port}/v"))
    assert str(caught.value) == f"RabbitMQ at 127.0.0.1:{port} (vhost v): Connection refused"


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(amqp.BusUnavailable, match=r"nowhere\.invalid"):
        amqp.connect(amqp.parameters("amqp://user:hunter2@nowhere.invalid/v"))
