from __future__ import annotations

import contextlib
import smtplib
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests

from overheard.net import egress_audit
from overheard.net.deadline import Deadline
from overheard.net.egress_audit import EgressBlocked, guarded
from tests.servers.sink import Answer, HttpSink, MailSink

REFUSED = ["127.0.0.1", "::1", "0.0.0.0", "169.254.169.254", "10.0.0.1", "100.64.0.1", "::ffff:127.0.0.1"]
REFUSED += ["64:ff9b::7f00:1", "2002:7f00:1::", "localhost"]
SPELLINGS = ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"]


@pytest.mark.parametrize("host", REFUSED + SPELLINGS)
def test_requests_cannot_reach_a_private_address(host: str) -> None:
    url = f"http://[{host}]/" if ":" in host else f"http://{host}/"
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard:
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=3)
        assert guard.refusal is not None
        assert "allow_private" in str(guard.refusal)


@pytest.mark.parametrize("answer", [["93.184.216.34", "10.0.0.1"], ["10.0.0.1", "93.184.216.34"]])
def test_a_name_with_one_private_address_is_refused(answer: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overheard.net.egress_audit.resolve", lambda host, port: answer)
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard:
        with pytest.raises(requests.ConnectionError):
            requests.get("http://mixed.example/", timeout=3)
        assert "mixed.example (10.0.0.1)" in str(guard.refusal)


def test_a_redirect_into_the_private_network_is_refused(http: HttpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sink's address counts as public here, so that the first hop is allowed; the second hop is refused."""
    public = "127.0.0.1"
    real = __import__("overheard.net.addresses", fromlist=["x"]).why_refused
    monkeypatch.setattr("overheard.net.egress.why_refused", lambda a: None if str(a) == public else real(a))
    http.answer(Answer(302, {"Location": "http://10.0.0.7/latest/meta-data"}))
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard:
        with pytest.raises(requests.ConnectionError):
            requests.get(http.url, timeout=3)
        assert "10.0.0.7" in str(guard.refusal)


def test_other_libraries_are_checked_too(mail: MailSink) -> None:
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard:
        with pytest.raises(EgressBlocked):
            smtplib.SMTP("127.0.0.1", mail.port)
        assert guard.refusal is not None
    assert len(mail.arrived) == 0


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["connect", "sendto"])
def test_sockets_opened_directly_are_checked(kind: socket.SocketKind) -> None:
    with Deadline(5) as deadline, guarded(deadline, allow_private=False), socket.socket(type=kind) as sock:
        act = sock.connect if kind == socket.SOCK_STREAM else lambda address: sock.sendto(b"x", address)
        with pytest.raises(EgressBlocked):
            act(("127.0.0.1", 9))


def test_a_name_given_to_connect_itself_is_refused() -> None:
    """connect() would resolve it again, after the check."""
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard, socket.socket() as sock:
        with pytest.raises(EgressBlocked):
            sock.connect(("localhost", 9))
        assert "a name where a checked address" in str(guard.refusal)


def test_unix_sockets_are_refused() -> None:
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard:
        with pytest.raises(EgressBlocked), socket.socket(socket.AF_UNIX) as sock:
            sock.connect("/var/run/docker.sock")
        assert "a local socket" in str(guard.refusal)


def test_programs_are_not_started() -> None:
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard:
        with pytest.raises(EgressBlocked):
            subprocess.run([sys.executable, "-c", ""], check=False)
        assert "start a program" in str(guard.refusal)


def test_after_a_refusal_every_connection_is_refused() -> None:
    with Deadline(5) as deadline, guarded(deadline, allow_private=False):
        with pytest.raises(EgressBlocked), socket.socket() as sock:
            sock.connect(("127.0.0.1", 9))
        with pytest.raises(EgressBlocked, match="over"), socket.socket() as sock:
            sock.connect(("93.184.216.34", 9))


def test_only_its_own_thread_and_block_are_guarded(http: HttpSink) -> None:
    statuses = []
    go, done = threading.Event(), threading.Event()

    def other() -> None:
        go.wait(60)
        statuses.append(requests.get(http.url, timeout=5).status_code)
        done.set()

    threading.Thread(target=other).start()
    with Deadline(5) as deadline, guarded(deadline, allow_private=False):
        go.set()
        assert done.wait(60)
    assert statuses == [200]
    assert requests.get(http.url, timeout=5).status_code == 200


@pytest.mark.parametrize("fault", ["drip headers", "drip body", "endless body", "hang"])
def test_the_deadline_ends_what_a_read_timeout_does_not(http: HttpSink, fault: str) -> None:
    http.answer(Answer(fault=fault))  # type: ignore[arg-type]
    started = time.monotonic()
    with Deadline(0.3) as deadline, guarded(deadline, allow_private=True) as guard:
        with contextlib.suppress(requests.RequestException):
            requests.get(http.url, timeout=30)
        assert deadline.passed
        with pytest.raises(requests.ConnectionError):
            requests.get(http.url, timeout=30)  # a service that retries by itself cannot connect either
        assert guard.refusal is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("allow_private", [True, False])
def test_a_dead_name_server_ends_with_the_attempt(allow_private: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, released = threading.Event(), threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        asked.set()
        released.wait(20)
        return []

    monkeypatch.setattr("overheard.net.egress_audit.resolve", resolve)
    started = time.monotonic()
    slow = pytest.raises(OSError, match="looking its name up took longer")
    with Deadline(0.3) as deadline, guarded(deadline, allow_private=allow_private), slow:
        socket.create_connection(("slow.example", 80))
    released.set()
    assert asked.is_set()
    assert time.monotonic() - started < 5


def test_threads_are_not_started() -> None:
    with Deadline(5) as deadline, guarded(deadline, allow_private=False) as guard, pytest.raises(EgressBlocked):
        guard.audit("_thread.start_new_thread", (print, (), None))
    if sys.version_info >= (3, 12):  # older Pythons have no audit event for it: there policy.py refuses the services
        with Deadline(5) as deadline, guarded(deadline, allow_private=False), pytest.raises(EgressBlocked):
            threading.Thread(target=print).start()


def test_threads_that_start_together_install_one_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one would count every connection's bytes twice."""

    def enter() -> None:
        with Deadline(5) as deadline, guarded(deadline, allow_private=True):
            pass

    def install(hook: object) -> None:
        installed.append(hook)
        if len(installed) == 1:
            other.start()
            other.join(0.2)  # it has to wait for this thread

    enter()  # the process's own hook, which stays
    installed: list[object] = []
    other = threading.Thread(target=enter)
    monkeypatch.setattr(sys, "addaudithook", install)
    egress_audit._install.cache_clear()
    enter()
    other.join()
    assert len(installed) == 1
