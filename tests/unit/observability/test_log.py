"""Logs: ours and the libraries' in one format, JSON or text."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from overheard.errors import RetryableError
from overheard.observability import log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    quiet = {name: logging.getLogger(name).level for name in log.NOISY_LIBRARIES}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_has_one_line_per_event() -> None:
    stream = io.StringIO()
    log.configure("INFO", style="json", stream=stream)
    log.get_logger("overheard.x").info("feed refused", feed="pythön\n", reason="private", retry_at=1.5)
    logging.getLogger("dramatiq").warning("worker %s is %s", 7, "late")

    ours, theirs = lines(stream)
    assert ours | {"event": "feed refused", "feed": "pythön\n", "retry_at": 1.5, "level": "info"} == ours
    assert theirs | {"event": "worker 7 is late", "level": "warning", "logger": "dramatiq"} == theirs
    assert ours["logger"] == "overheard.x"
    assert ours["timestamp"].endswith("Z")
    assert ours.keys() - {"feed", "reason", "retry_at"} == theirs.keys()


def broken(text: str) -> None:
    secret = "s3cret"  # noqa: F841 (a local that nobody may see)
    raise ValueError(text)


@pytest.mark.parametrize(("level", "reason"), [("INFO", None), ("DEBUG", "what she wrote")])
def test_a_foreign_error_is_logged_without_its_text(level: str, reason: str | None) -> None:
    stream = io.StringIO()
    log.configure(level, style="json", stream=stream)
    for logger in (log.get_logger("ours"), logging.getLogger("theirs")):
        try:
            broken("what she wrote")
        except ValueError:
            logger.exception("it failed")
    for line in lines(stream):
        assert (line["level"], line["error"], line.get("reason")) == ("error", "ValueError", reason)
        assert re.fullmatch(r"observability/test_log.py:\d+ broken", line["at"])
        assert line["frames"] == [line["at"]]
    assert "s3cret" not in stream.getvalue()
    assert "raise" not in stream.getvalue(), "a traceback with source lines"


def test_an_error_of_ours_is_logged_with_its_text() -> None:
    stream = io.StringIO()
    log.configure("INFO", style="json", stream=stream)
    try:
        raise RetryableError("the receiver is down")
    except RetryableError as error:
        log.get_logger("x").warning("delivery put off", exc_info=error)
    (line,) = lines(stream)
    assert (line["error"], line["reason"]) == ("RetryableError", "the receiver is down")
    assert "frames" not in line


FORGED = "down\r\n2026-11-23T09:00:00Z INFO all is well \x1b[2J\x9b31m\u202e" + "x" * 5000


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_remote_servers_text_forges_no_line_and_moves_no_cursor(style: str) -> None:
    stream = Terminal()
    log.configure("INFO", style=style, stream=stream)
    log.bind(run=FORGED)
    log.get_logger("x").info("put off", reason=FORGED, several=[FORGED])
    logging.getLogger("library").warning(FORGED)
    log.clear()
    text = re.sub(r"\x1b\[\d*m", "", stream.getvalue())  # our own colours
    assert text.count("\n") == 2
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert len(text) < 25_000


def test_bound_fields_end_with_their_block() -> None:
    stream = io.StringIO()
    log.configure("INFO", style="json", stream=stream)
    logger = log.get_logger("x")
    log.bind(run="r1", stage="tick")
    with log.bound(run="r2"):
        log.bind(workspace="acme", channel=5)
        logger.info("within")
        assert log.propagated() == {"run": "r2", "workspace": "acme"}
    logger.info("after")
    assert log.propagated() == {"run": "r1"}
    log.clear()
    logger.info("later")
    within, after, later = lines(stream)
    assert within | {"run": "r2", "workspace": "acme", "channel": 5, "stage": "tick"} == within
    assert after["run"] == "r1"
    assert not after.keys() & {"workspace", "channel"}
    assert not later.keys() & {"run", "stage"}


def test_the_common_keys_come_first() -> None:
    stream = io.StringIO()
    log.configure("INFO", style="json", stream=stream)
    with log.bound(message_id="m", workspace="acme", run="r", stage="fetch"):
        log.get_logger("x").info("poll read", items=5)
    assert list(lines(stream)[0]) == [*log.LEADING_FIELDS, "items"]


def test_a_threads_death_and_a_python_warning_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    stream = io.StringIO()
    log.configure("INFO", style="json", stream=stream)
    log.log_uncaught()
    try:
        thread = threading.Thread(target=broken, args=("text",), name="sender")
        thread.start()
        thread.join()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    finally:
        logging.captureWarnings(False)
    ended, warned = lines(stream)
    assert (ended["event"], ended["thread"], ended["error"]) == ("thread ended", "sender", "ValueError")
    assert "DeprecationWarning: old" in warned["event"]


def test_text_on_a_terminal_and_json_elsewhere() -> None:
    for stream, is_json in ((Terminal(), False), (io.StringIO(), True)):
        log.configure("INFO", stream=stream)
        log.get_logger("x").info("hello", number=5)
        assert stream.getvalue().startswith("{") == is_json
        assert "hello" in stream.getvalue()
    stream = io.StringIO()
    log.configure("INFO", style="text", stream=stream)
    log.get_logger("x").info("hello", number=5)
    assert "number=5" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_libraries_are_logged_from_warning_on() -> None:
    stream = io.StringIO()
    log.configure("INFO", style="json", stream=stream)
    log.get_logger("x").debug("no")
    logging.getLogger("pika.connection").info("no")
    logging.getLogger("pika.connection").warning("yes")
    log.configure("DEBUG", style="json", stream=stream)
    logging.getLogger("peewee").debug("no: statements with their values")
    log.get_logger("x").debug("yes")
    assert [line["event"] for line in lines(stream)] == ["yes", "yes"]


LOGGERS = """
import importlib, logging, pkgutil, warnings
import actors, overheard, producers
from overheard.channels.apprise.transport import _apprise
warnings.simplefilter("ignore")
for package in (overheard, actors, producers):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
_apprise()
print(*{name.partition(".")[0] for name in logging.root.manager.loggerDict})
"""


def test_every_librarys_logger_is_kept_quiet() -> None:
    """A library not listed would log anything at level DEBUG. Add a new one to ``NOISY_LIBRARIES``."""
    found = subprocess.run([sys.executable, "-c", LOGGERS], capture_output=True, text=True, check=True, timeout=60)
    names = set(found.stdout.split())
    assert {"peewee", "prawcore", "apprise"} <= names
    assert names - {"overheard", "actors", "producers"} <= set(log.NOISY_LIBRARIES)


def test_configuring_twice_logs_each_line_once() -> None:
    stream = io.StringIO()
    for _ in range(2):
        log.configure("INFO", style="json", stream=stream)
    log.get_logger("x").info("once")
    assert len(lines(stream)) == 1


def test_a_logger_made_before_the_configuration_follows_it() -> None:
    early = log.get_logger("early")
    stream = io.StringIO()
    log.configure("INFO", style="json", stream=stream)
    early.info("here")
    assert lines(stream)[0]["event"] == "here"


def test_context_is_on_every_line_of_its_thread() -> None:
    stream = io.StringIO()
    log.configure("INFO", style="json", stream=stream)
    structlog.contextvars.bind_contextvars(message_id="m1")
    log.get_logger("x").info("ours")
    logging.getLogger("y").info("theirs")
    assert [line["message_id"] for line in lines(stream)] == ["m1", "m1"]
