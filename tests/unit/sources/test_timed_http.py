"""Responses arrive completely and in time, or fail: over plain HTTP, TLS and a proxy."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import urllib3

from overheard.errors import RetryableError
from overheard.sources.timed_http import DeadlineAdapter, _TimedReader, read_all
from tests.unit.sources.reddit_world import RawServer, Script, drips, http, sends

TIMEOUT_SECONDS = 0.3
FAIL_AFTER_SECONDS = 3.0  # the drips below never end by themselves
LIMIT_BYTES = 100_000

DRIPS = {
    "status line": drips(b"HTTP/1.1 200", b" "),
    "headers": drips(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
    "body": drips(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"x"),
    "body to the end of the connection": drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    "chunks": drips(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "continue": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "nothing": drips(b"", b""),
}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost and its key, made here: a key in the repository would trigger secret scanners."""
    home = tmp_path_factory.mktemp("tls")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-out", str(home / "cert.pem"), "-keyout", str(home / "key.pem"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    try:
        subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.fail("no openssl here: apt-get install openssl")
    return home / "cert.pem", home / "key.pem"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        adapter = DeadlineAdapter()
        made.mount("http://", adapter)
        made.mount("https://", adapter)
        yield made


def ask(session: requests.Session, url: str) -> requests.Response:
    with session.get(url, stream=True, timeout=(TIMEOUT_SECONDS, TIMEOUT_SECONDS)) as response:
        return read_all(response, LIMIT_BYTES)


def must_time_out(session: requests.Session, url: str) -> None:
    begun = time.monotonic()
    with pytest.raises((requests.RequestException, urllib3.exceptions.HTTPError), match=r"timed out|took too long"):
        ask(session, url)
    assert time.monotonic() - begun < FAIL_AFTER_SECONDS


@pytest.mark.parametrize("script", DRIPS.values(), ids=DRIPS.keys())
def test_a_dripping_server_times_out(session: requests.Session, script: Script) -> None:
    with RawServer(script) as server:
        must_time_out(session, server.url)


@pytest.mark.parametrize("script", [DRIPS["headers"], DRIPS["body"]], ids=["headers", "body"])
def test_a_dripping_server_times_out_over_tls(
    session: requests.Session, certificate: tuple[Path, Path], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with RawServer(sends(http("fine")), script, tls=tls) as server:
        assert ask(session, server.url).text == "fine"
        must_time_out(session, server.url)


@pytest.mark.parametrize("script", [DRIPS["headers"], DRIPS["body"]], ids=["headers", "body"])
def test_a_dripping_server_times_out_behind_a_proxy(session: requests.Session, script: Script) -> None:
    with RawServer(sends(http("fine")), script) as proxy:
        session.proxies = {"http": proxy.url, "https": proxy.url}
        assert ask(session, "http://reddit.invalid/x").text == "fine"
        assert proxy.heads[0].startswith("GET http://reddit.invalid/x ")
        must_time_out(session, "http://reddit.invalid/x")


def test_a_dripping_proxy_times_out(session: requests.Session) -> None:
    with RawServer(DRIPS["headers"]) as proxy:
        session.proxies = {"https": proxy.url}
        must_time_out(session, "https://reddit.invalid/x")
        assert proxy.heads[0].startswith("CONNECT reddit.invalid:443 ")


def test_each_read_waits_only_for_the_time_left() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(60)
        reader = _TimedReader(socket.SocketIO(ours, "r"), ours)
        theirs.sendall(b"x")
        assert reader.read(1) == b"x"
        left = ours.gettimeout()
        reader.close()
    assert left is not None
    assert 0 < left < 60


def test_a_kept_connection_gets_a_new_deadline_for_each_request(session: requests.Session) -> None:
    with RawServer(sends(http("fine"))) as server:
        assert {ask(session, server.url).text for _ in range(50)} == {"fine"}
        assert (server.connections, len(server.heads)) == (1, 50)


def test_a_large_answer_is_refused(session: requests.Session) -> None:
    with RawServer(sends(http(b"x" * LIMIT_BYTES)), sends(http(b"x" * (LIMIT_BYTES + 1)))) as server:
        assert len(ask(session, server.url).content) == LIMIT_BYTES
        with pytest.raises(RetryableError, match="100,000 bytes"):
            ask(session, server.url)


def test_a_compressed_answer_is_measured_decompressed(session: requests.Session) -> None:
    packed = "content-encoding: gzip\r\n"
    with RawServer(
        sends(http(gzip.compress(b"fine"), headers=packed)), sends(http(gzip.compress(b"x" * 10**7), headers=packed))
    ) as server:
        assert ask(session, server.url).text == "fine"
        with pytest.raises(RetryableError, match="bytes"):
            ask(session, server.url)


def test_an_endless_answer_is_refused(session: requests.Session) -> None:
    with RawServer(drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000, every=0)) as server, pytest.raises(RetryableError):
        ask(session, server.url)
