from __future__ import annotations

import pytest

from overheard.errors import InvalidInput
from overheard.net.http_target import parse_target


def test_a_plain_url_is_split_into_its_parts() -> None:
    target = parse_target("https://Hooks.Example.com/a/b?token=x%20y", allow_private=False)
    assert target == ("https", "hooks.example.com", 443, "/a/b?token=x%20y")
    assert parse_target("http://example.com:8080", allow_private=False) == ("http", "example.com", 8080, "/")
    assert parse_target("https://[2606:4700::1111]:8443/x", allow_private=False)[1] == "2606:4700::1111"


def test_international_names_and_paths_become_ascii() -> None:
    _, host, _, path = parse_target("https://bücher.example/straße?q=ä", allow_private=False)
    assert (host, path) == ("xn--bcher-kva.example", "/stra%C3%9Fe?q=%C3%A4")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254\\@ok.org/",
        "http://ok.org\\.evil.example/",
        "http://user:canary@example.com/",
        "http://example.com@10.0.0.1/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https:///path",
        "https://",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Evil: 1",
        "https://example.com/\u00a0",
        "https://example.com/#canary",
        "https://example.com:99999/",
        "https://example.com:http/",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://-example.com/",
        "https://example..com:0x50/",
        "https://ex\u200dample\u2260.com/",
    ],
)
def test_what_parsers_disagree_about_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_target(url, allow_private=True)
    assert "canary" not in str(error.value)
    assert str(error.value).startswith("url: ")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "172.16.5.5", "192.168.0.1", "100.64.0.1",
        "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "localhost", "LOCALHOST.", "api.localhost", "１２７.０.０.１", "①②⑦.⓪.⓪.①",
    ],
)  # fmt: skip
def test_private_addresses_in_every_spelling_are_refused_when_saved(host: str) -> None:
    with pytest.raises(InvalidInput, match=r"\[notify\] allow_private"):
        parse_target(f"http://{host}/hook", allow_private=False)
    parse_target(f"http://{host}/hook", allow_private=True)


def test_ports_of_other_protocols_are_refused() -> None:
    for port in (22, 25, 6667, 0):
        with pytest.raises(InvalidInput, match=f"port {port}"):
            parse_target(f"https://example.com:{port}/", allow_private=False)
    assert parse_target("https://example.com:25/", allow_private=True).port == 25
