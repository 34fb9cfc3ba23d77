"""The replaced names in Apprise's services, checked against the installed Apprise."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import apprise
import pytest
import requests

from overheard.channels import ChannelOptions
from overheard.channels.apprise.http import GuardedRequests
from overheard.channels.apprise.transport import AppriseTransport

PLUGINS = Path(apprise.__file__).parent / "plugins"
# Other ways to send HTTP, and ways to keep a reference to the real functions of requests.
BYPASS = re.compile(
    r"^\s*(?:import|from) (?:urllib\.request|http\.client|httpx|aiohttp|urllib3|ftplib)\b"
    r"|from requests import|import requests\.|import requests as|requests\.(?:api|[Ss]essions?)\b"
    r"|^[A-Za-z_]\w* *=.*requests\.(?:get|post|put|request)\b",
    re.M,
)


@pytest.fixture(autouse=True)
def loaded(options: ChannelOptions) -> None:
    AppriseTransport("json://example.com", None, options)


def test_every_service_sends_with_the_guarded_requests() -> None:
    files = [file for file in PLUGINS.rglob("*.py") if re.search(r"^\s*import requests$", file.read_text(), re.M)]
    assert len(files) > 150
    for file in files:
        name = ".".join(("apprise", "plugins", *file.relative_to(PLUGINS).with_suffix("").parts))
        module = sys.modules.get(name.removesuffix(".__init__"))
        if module is None:  # it needs a library that is not installed, else it would have been loaded
            with pytest.raises(ImportError):
                importlib.import_module(name)
        else:
            assert isinstance(module.requests, GuardedRequests), name


def test_no_service_has_another_way_to_send() -> None:
    assert not [file.name for file in PLUGINS.rglob("*.py") if BYPASS.search(file.read_text())]


def test_mails_are_built_with_the_replacements() -> None:
    mail = sys.modules["apprise.plugins.email.base"]
    assert {mail.make_msgid.__module__, mail.convert_between.__module__} == {"overheard.channels.apprise.mail"}


def test_the_libraries_themselves_are_unchanged() -> None:
    assert sys.modules["requests"] is requests
    assert requests.post.__module__ == "requests.api"
    assert apprise.conversion.convert_between.__module__.startswith("apprise.")
