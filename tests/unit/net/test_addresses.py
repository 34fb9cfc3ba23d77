from __future__ import annotations

import ipaddress

import pytest

from overheard.net.addresses import NON_PUBLIC_V4, NON_PUBLIC_V6, parse_address, why_refused

PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0"]
PUBLIC += ["192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1"]
PUBLIC += ["2001:200::1", "2003::1", "2620:4f:8001::1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize("block", [block for block, _ in [*NON_PUBLIC_V4, *NON_PUBLIC_V6]], ids=str)
def test_the_first_and_the_last_address_of_each_special_block_are_refused(
    block: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    assert why_refused(block[0])
    assert why_refused(block[-1])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "::1", "0.0.0.0", "::", "169.254.169.254", "10.1.2.3", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "100.64.0.1", "100.127.255.255", "255.255.255.255", "240.0.0.1", "224.0.0.251", "192.0.2.1",
        "198.51.100.1", "203.0.113.1", "198.18.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::1", "fe80::1", "fe80::1%eth0", "fec0::1",
        "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "spelling",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "017700000001", "127.0.1"],
)
def test_every_spelling_of_loopback_is_recognized(spelling: str) -> None:
    address = parse_address(spelling)
    assert address is not None
    assert why_refused(address)


def test_names_are_not_addresses() -> None:
    assert parse_address("example.com") is None
    assert parse_address("1.2.3.4.5") is None
    assert str(parse_address("[::1]")) == "::1"
