"""A certificate for the mail server, and a channel's transport to it."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from overheard.channels import ChannelOptions
from overheard.channels.email.transport import EmailTransport
from overheard.channels.recipient_memory import RecipientMemory
from tests.hostile import NOW
from tests.servers.mail_server import MailServer

HOST = "smtp.example.com"
CERTIFICATE = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={HOST}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for smtp.example.com and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "smtp.pem"
    names = ["-addext", f"subjectAltName=DNS:{HOST}"]
    out = subprocess.run([*CERTIFICATE.split(), *names, "-keyout", "-"], capture_output=True, check=True)
    path.write_bytes(out.stdout)
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def channel(server: MailServer) -> Callable[..., EmailTransport]:
    """Return a function that opens a channel to the server; ``query``: the URL's options."""
    memory = RecipientMemory()

    def make(
        query: str = "to=boss@example.com", *, timeout: float = 20.0, now: float = NOW, **more: Any
    ) -> EmailTransport:
        options = ChannelOptions(allow_private=True, timeout=timeout, user_agent="x", clock=lambda: now)
        url = f"mailto://127.0.0.1:{server.port}/?from=overheard@acme.example&{query}"
        return EmailTransport(url, None, options, memory=memory, **more)

    return make
