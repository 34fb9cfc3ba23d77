from __future__ import annotations

import pytest

from overheard.channels.redact import redact, redact_in


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("slack://T1/B2/canary", "slack://***"),
        ("mailto://me:canary@example.com", "mailto://***"),
        ("https://example.com/hooks/canary?t=canary", "https://example.com/***"),
        ("https://example.com:8443/canary", "https://example.com:8443/***"),
        ("https://me:canary@example.com/", "https://example.com/***"),
        ("http://[2001:db8::1]/canary", "http://[2001:db8::1]/***"),
        ("HTTPS://Example.com/canary", "https://example.com/***"),
        ("https://exa mple canary/", "https://***"),
        ("https://[canary", "https://***"),
        ("http://10.0.0.1\\@canary/", "http://***"),
        ("canary", "***"),
        ("", "***"),
        ("can/ary://x", "***"),
    ],
)
def test_only_the_scheme_and_a_webhooks_host_are_shown(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_every_part_of_the_url_is_removed_from_a_text() -> None:
    url = "mailto://user%40x:can%2Fary1@example.com:587/boss?to=ceo%40corp.example&name=Acme"
    text = "login as user failed, password can/ary1 for ceo@corp.example at https://host/secret (error=535)"
    assert "ary1" not in redact_in(text, url)
    assert "corp.example" not in redact_in(text, url)
    assert redact_in("password pw1 of apw1 refused", "json://me:pw1@h/") == "password *** of apw1 refused"
    assert redact_in("host canary.example", "json://Canary.Example/") == "host ***"
    assert redact_in(text, url).endswith("at https://host/*** (error=535)")
