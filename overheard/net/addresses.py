"""Tell public internet addresses from those that a stranger's URL must not reach.

Written out because ``ipaddress.is_private`` and ``is_global`` miss several (100.64/10, NAT64, 6to4, mapped addresses …)
and change between Python releases. Sources: the IANA special-purpose address registries for IPv4 and IPv6
(iana.org/assignments/iana-ipv4-special-registry, …-ipv6-…; RFC 6890) and the IPv6 global unicast assignment (2000::/3).
"""

from __future__ import annotations

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NON_PUBLIC_V4 = [
    (ipaddress.IPv4Network(block), why)
    for block, why in (
        ("0.0.0.0/8", "this network, RFC 791"),
        ("10.0.0.0/8", "private, RFC 1918"),
        ("100.64.0.0/10", "shared by carriers, RFC 6598"),
        ("127.0.0.0/8", "loopback, RFC 1122"),
        ("169.254.0.0/16", "link-local, RFC 3927"),
        ("172.16.0.0/12", "private, RFC 1918"),
        ("192.0.0.0/24", "protocol assignments, RFC 6890"),
        ("192.0.2.0/24", "documentation, RFC 5737"),
        ("192.31.196.0/24", "AS112, RFC 7535"),
        ("192.52.193.0/24", "AMT, RFC 7450"),
        ("192.88.99.0/24", "6to4 relays, RFC 7526"),
        ("192.168.0.0/16", "private, RFC 1918"),
        ("192.175.48.0/24", "AS112, RFC 7534"),
        ("198.18.0.0/15", "benchmarks, RFC 2544"),
        ("198.51.100.0/24", "documentation, RFC 5737"),
        ("203.0.113.0/24", "documentation, RFC 5737"),
        ("224.0.0.0/4", "multicast, RFC 5771"),
        ("240.0.0.0/4", "reserved and broadcast, RFC 1112"),
    )
]

# Only 2000::/3 is assigned as unicast, so everything else is refused; rows outside it only name the reason. Addresses
# that embed an IPv4 address (mapped, NAT64, 6to4, Teredo) are refused whatever they embed: receivers do not need them.
V6_UNICAST = ipaddress.IPv6Network("2000::/3")
NON_PUBLIC_V6 = [
    (ipaddress.IPv6Network(block), why)
    for block, why in (
        ("::1/128", "loopback, RFC 4291"),
        ("::/128", "unspecified, RFC 4291"),
        ("::ffff:0:0/96", "IPv4-mapped, RFC 4291"),
        ("64:ff9b::/96", "NAT64, RFC 6052"),
        ("64:ff9b:1::/48", "local NAT64, RFC 8215"),
        ("fc00::/7", "private, RFC 4193"),
        ("fe80::/10", "link-local, RFC 4291"),
        ("fec0::/10", "site-local, RFC 3879"),
        ("ff00::/8", "multicast, RFC 4291"),
        ("2001::/32", "Teredo, RFC 4380"),
        ("2001::/23", "protocol assignments, RFC 2928"),
        ("2001:db8::/32", "documentation, RFC 3849"),
        ("2002::/16", "6to4, RFC 3056"),
        ("2620:4f:8000::/48", "AS112, RFC 7534"),
        ("3fff::/20", "documentation, RFC 9637"),
    )
]


def why_refused(address: Address) -> str | None:
    """Return why an address is not public, in a few words; None if it is public."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((why for block, why in NON_PUBLIC_V4 if address in block), None)
    reason = next((why for block, why in NON_PUBLIC_V6 if address in block), None)
    return reason or (None if address in V6_UNICAST else "not global unicast, RFC 4291")


def parse_address(host: str) -> Address | None:
    """Return the address that ``host`` spells, in any form that the C library accepts; None if it is a name.

    Some of them: ``127.1``, ``0x7f000001``, ``2130706433``.
    """
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
