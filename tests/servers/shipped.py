"""Servers with the shipped files of deploy/rabbitmq and deploy/postgresql, on private ports."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.servers.ports import free_ports
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer

DEPLOY = Path(__file__).parents[2] / "deploy"
VHOST = "overheard"
FILES = {"advanced.config": "advanced.config", "rabbitmq-env.conf": "env.conf", "enabled_plugins": "plugins"}


def permissions() -> dict[str, tuple[str, str, str]]:
    """Return deploy/rabbitmq/permissions: user → configure, write, read."""
    lines = (DEPLOY / "rabbitmq/permissions").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {user: (configure, write, read) for user, configure, write, read in rows}


class ShippedRabbit(RabbitServer):
    """A node configured only by deploy/rabbitmq. It starts its own epmd, which leaves every process group."""

    def __init__(self) -> None:
        super().__init__()
        (self.prometheus_port,) = free_ports(1)
        self.passwords = {user: secrets.token_urlsafe(18) for user in permissions()}
        ports = {"5672": self.port, "15672": self.http_port, "15692": self.prometheus_port}
        text = (DEPLOY / "rabbitmq/rabbitmq.conf").read_text()
        text = re.sub(r"\b(5672|15672|15692)$", lambda match: str(ports[match[1]]), text, flags=re.MULTILINE)
        (self.home / "rabbitmq.conf").write_text(f"{text}\nlog.console = true\n")  # where start() looks
        for shipped, name in FILES.items():
            (self.home / name).write_bytes((DEPLOY / "rabbitmq" / shipped).read_bytes())
        for name in ("ERL_EPMD_ADDRESS", "RABBITMQ_NODE_IP_ADDRESS", "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"):
            del self.env[name]
        self._sweep = f"sleep 0.2; epmd -port {self.env['ERL_EPMD_PORT']} -kill >/dev/null; {self._sweep}"

    def start(self) -> None:
        """Start it, with the shipped vhost, users and permissions, and without guest, as deploy/install leaves it."""
        super().start()
        # Over HTTP: each call of rabbitmqctl starts an Erlang machine, for more than a second of work.
        self.api("PUT", f"/vhosts/{VHOST}")
        for user, (configure, write, read) in permissions().items():
            tags = "management" if user == "overheard_trigger" else ""  # for rabbitmqadmin
            self.api("PUT", f"/users/{user}", {"password": self.passwords[user], "tags": tags})
            regexes = {"configure": configure, "write": write, "read": read}
            self.api("PUT", f"/permissions/{VHOST}/{user}", regexes)
        self.api("DELETE", "/users/guest")

    def url_of(self, user: str, vhost: str = VHOST) -> str:
        """Return the URL with which ``user`` logs in."""
        return f"amqp://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/{vhost}"

    def _start_epmd(self) -> None:
        """The node starts its own."""


class ShippedPostgres(PostgresServer):
    """A server configured only by deploy/postgresql. ``owner_url`` and ``app_url`` log in as the two roles."""

    def start(self) -> None:
        super().start()
        self.roles()

    def roles(self, **passwords: str) -> None:
        """Run roles.sql, as deploy/install does; a second run changes only the passwords."""
        self._passwords |= {"overheard_owner": secrets.token_urlsafe(18)} | passwords
        environ = {
            "PATH": os.environ["PATH"],
            "PGPASSWORD": self._passwords["postgres"],
            "OVERHEARD_OWNER_PASSWORD": self._passwords["overheard_owner"],
            "OVERHEARD_PASSWORD": self._passwords["overheard"],
        }
        self.psql(environ)

    def psql(self, environ: dict[str, str]) -> None:
        """Run roles.sql as the superuser, with this environment. Raises CalledProcessError."""
        where = ["-h", "127.0.0.1", "-p", str(self._port), "-U", "postgres"]
        script = DEPLOY / "postgresql/roles.sql"
        subprocess.run(
            [self._bin / "psql", "--no-psqlrc", *where, "--file", script, "postgres"],
            env=environ, capture_output=True, text=True, check=True,
        )  # fmt: skip

    @property
    def owner_url(self) -> str:
        return self._url("overheard_owner", "overheard")

    @property
    def app_url(self) -> str:
        return self._url("overheard", "overheard")

    def as_app(self, database: str) -> str:
        """Return the URL with which the processes' role would log in to another database."""
        return self._url("overheard", database)

    def log(self) -> str:
        """Return the server's log."""
        return self._log.read_text()

    def _url(self, user: str, database: str) -> str:
        return f"postgresql://{user}:{quote(self._passwords[user], safe='')}@127.0.0.1:{self._port}/{database}"

    def _make_home(self) -> None:
        super()._make_home()
        assert self.home
        data = self.home / "data"
        with (data / "postgresql.conf").open("a") as file:
            file.write((DEPLOY / "postgresql/postgresql.conf").read_text())
        hba = data / "pg_hba.conf"
        hba.write_text((DEPLOY / "postgresql/pg_hba.conf").read_text() + hba.read_text())

    def _settings(self) -> dict[str, Any]:
        settings = super()._settings()
        del settings["listen_addresses"]
        return settings

    def _make_role(self) -> None:
        """Do nothing: roles.sql creates it."""
