"""The policy, checked against the installed Apprise: a release that adds a way around it fails here."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import apprise
import pytest
from apprise.manager_plugins import NotificationManager

from overheard.channels import ChannelOptions
from overheard.channels.apprise.policy import (
    FILE_OPTIONS,
    FILE_PATHS,
    LOCAL_SERVICES,
    REMOTE_TEMPLATES,
    THREADED_SERVICES,
    check_service,
)
from overheard.channels.apprise.transport import AppriseTransport
from overheard.errors import InvalidInput

PLUGINS = Path(apprise.__file__).parent / "plugins"
LOCAL_CODE = re.compile(
    r"^\s*(import subprocess|import dbus|import gi\b|from gi|import win32|import syslog|import hid\b)", re.M
)
THREAD_CODE = re.compile(r"threading\.Thread\(|ThreadPoolExecutor\(|\.loop_start\(|run_in_executor\(|multiprocessing")
# Options with a suspicious name that were reviewed: a key or a path at the provider, never a local file.
HARMLESS = {"path", "filename", "profile", "file_url", "pgp"}


def modules_with(pattern: re.Pattern[str]) -> set[str]:
    names = set()
    for source in PLUGINS.rglob("*.py"):
        if pattern.search(source.read_text("utf-8")):
            names.add(source.relative_to(PLUGINS).with_suffix("").parts[0])
    return names


def test_every_service_that_acts_on_this_machine_is_known() -> None:
    assert modules_with(LOCAL_CODE) == set(LOCAL_SERVICES)


def test_every_service_that_starts_threads_is_known() -> None:
    assert modules_with(THREAD_CODE) == set(THREADED_SERVICES)


def test_every_option_that_names_a_file_is_known() -> None:
    manager = NotificationManager()
    names: set[str] = set()
    for scheme in manager.schemas():
        plugin = manager[scheme]
        names |= {name for name in plugin.template_args if re.search("file|path|pgp|pem|cert", name)}
        if "template" in plugin.template_args and "AppriseAttachment" not in source_of(plugin):
            assert plugin.__module__.split(".")[2] in REMOTE_TEMPLATES, plugin
    assert names - HARMLESS <= FILE_OPTIONS


def test_every_key_from_a_file_is_known() -> None:
    manager = NotificationManager()
    plugins = [manager[scheme] for scheme in manager.schemas()]
    assert {
        p.__module__.split(".")[2] for p in plugins if "keyfile" in {**p.template_tokens, **p.template_args}
    } == set(FILE_PATHS)


def source_of(plugin: type) -> str:
    """Return the source code of a service and of the services that it extends."""
    files = {inspect.getsourcefile(base) for base in plugin.__mro__ if base.__module__.startswith("apprise.plugins.")}
    return "".join(Path(file).read_text("utf-8") for file in files if file and not file.endswith("plugins/base.py"))


@pytest.mark.parametrize("module", [*LOCAL_SERVICES, *THREADED_SERVICES, *FILE_PATHS])
def test_services_for_trusted_setups_need_allow_private(module: str) -> None:
    with pytest.raises(InvalidInput, match=r"x:// .*\[notify\] allow_private"):
        check_service("x://", f"apprise.plugins.{module}.sub", [], allow_private=False)
    check_service("x://", f"apprise.plugins.{module}", ["template"], allow_private=True)


def test_a_url_of_a_service_on_this_machine_is_refused(strict: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match="writes to this machine's log"):
        AppriseTransport("syslog://", None, strict)


@pytest.mark.parametrize("option", ["template=/etc/passwd", "Template=%2Fetc%2Fpasswd", "x=1;template=/etc/shadow"])
def test_local_files_are_not_read(option: str, strict: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match="the option template= of slack://"):
        AppriseTransport(f"slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?{option}", None, strict)
