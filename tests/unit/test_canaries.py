"""The search for canary secrets finds every form in which they leak: else a test that finds none proves nothing."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from tests.servers.canaries import Canaries


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "client-id"])
def test_every_form_is_seen(user: str) -> None:
    canaries = Canaries()
    secret = canaries.plant("it")
    login = f"{user}:{secret}!/".encode()
    for leak in (
        secret,
        secret.upper(),
        quote(f"{secret}!/@", safe=""),
        base64.b64encode(login).decode(),
        base64.urlsafe_b64encode(login).decode(),
        repr(login),
        login.hex(),
        secret[::-1],
    ):
        (found,) = canaries.seen_in(f"before {leak} after", "there")
        assert (found.secret, found.where) == ("it", "there"), leak


def test_nothing_is_seen_where_nothing_is() -> None:
    canaries = Canaries()
    canaries.plant("one")
    other = Canaries().plant("other")
    assert canaries.seen_in(f"{other} {base64.b64encode(other.encode()).decode()}", "there") == []
