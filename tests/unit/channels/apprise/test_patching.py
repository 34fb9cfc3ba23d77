"""Which names of Apprise's services are ours, against the installed Apprise."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import apprise
import pytest
import requests

from overheard.channels import ChannelOptions
from overheard.channels.apprise.channel import AppriseChannel
from overheard.channels.apprise.http import GuardedRequests

PLUGINS = Path(apprise.__file__).parent / "plugins"
# Other ways to HTTP, and ways to keep the real functions of requests past the exchange.
PAST_US = re.compile(
    r"^\s*(?:import|from) (?:urllib\.request|http\.client|httpx|aiohttp|urllib3|ftplib)\b"
    r"|from requests import|import requests\.|import requests as|requests\.(?:api|[Ss]essions?)\b"
    r"|^[A-Za-z_]\w* *=.*requests\.(?:get|post|put|request)\b",
    re.M,
)


@pytest.fixture(autouse=True)
def loaded(options: ChannelOptions) -> None:
    AppriseChannel("json://example.com", None, options)


def test_every_service_sends_with_ours() -> None:
    files = [file for file in PLUGINS.rglob("*.py") if re.search(r"^\s*import requests$", file.read_text(), re.M)]
    assert len(files) > 150
    for file in files:
        name = ".".join(("apprise", "plugins", *file.relative_to(PLUGINS).with_suffix("").parts))
        module = sys.modules.get(name.removesuffix(".__init__"))
        if module is None:  # it wants a library that is not there; with it, it would have been loaded with the others
            with pytest.raises(ImportError):
                importlib.import_module(name)
        else:
            assert isinstance(module.requests, GuardedRequests), name


def test_no_service_has_another_way() -> None:
    assert not [file.name for file in PLUGINS.rglob("*.py") if PAST_US.search(file.read_text())]


def test_what_the_mails_are_made_with_is_ours() -> None:
    mail = sys.modules["apprise.plugins.email.base"]
    assert {mail.make_msgid.__module__, mail.convert_between.__module__} == {"overheard.channels.apprise.mail"}


def test_the_library_itself_is_as_it_was() -> None:
    assert sys.modules["requests"] is requests
    assert requests.post.__module__ == "requests.api"
    assert apprise.conversion.convert_between.__module__.startswith("apprise.")
