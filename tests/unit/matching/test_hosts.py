"""The host of what a user calls a domain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.matching.language.hosts import decoded, host_of


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("acme.com", "acme.com"),
        ("Acme.COM.", "acme.com"),
        ("https://www.acme.com:8080/x?y#z", "acme.com"),
        ("//acme.com", "acme.com"),
        ("HTTP://user:x@acme.com", "acme.com"),
        ("me@acme.com", "acme.com"),
        ("*.acme.com", "acme.com"),
        (".acme.com", "acme.com"),
        ("*.www.acme.com", "acme.com"),
        ("www.acme.com", "acme.com"),
        ("www.com", "www.com"),
        ("www.www.com", "www.com"),
        ("ｗｗｗ．ａ．ｃｏｍ", "a.com"),
        ("acme.com/path", "acme.com"),
        ("acme.com?x", "acme.com"),
        ("acme[.]com", "acme.com"),
        ("acme[dot]com", "acme.com"),
        ("sub.acme.co.uk", "sub.acme.co.uk"),
        ("foo_bar.acme.com", "foo_bar.acme.com"),
        ("1.2.3.4", "1.2.3.4"),
        ("München.de", "münchen.de"),
        ("xn--mnchen-3ya.de", "münchen.de"),
        ("XN--MNCHEN-3YA.de", "münchen.de"),
        ("例え。jp", "例え.jp"),
        ("faß.de", "faß.de"),
    ],
)
def test_a_host_is_taken_out_of_an_address(value: str, host: str) -> None:
    assert host_of(value) == host


@pytest.mark.parametrize(
    "value",
    ["", ".", "*", "*.", "acme", "localhost", "acme..com", "-acme.com", "acme-.com", "a b.com", "[::1]", "http://",
     "acme.com,", "xn--.com", "xn--a.com", "\ud800.com", "a\x00.com", "x" * 64 + ".com", "a." * 127 + "com",
     "\u202eacme.com"],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_host_is_refused(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - idna's errors are subclasses
        host_of(value)


@given(
    st.one_of(
        st.text(),
        st.lists(st.sampled_from(["www.", "a.com", "*.", "xn--", "mnchen-3ya", "é", "ß", "/", "@", ":", "."])).map(
            "".join
        ),
    )
)
def test_a_host_is_its_own_host(value: str) -> None:
    try:
        host = host_of(value)
    except ValueError:
        return
    assert host_of(host) == host
    assert decoded(host) == host
