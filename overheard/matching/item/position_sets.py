"""Sets of positions: integers, with bit p set for position p."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def position_set(positions: Iterable[int], size: int) -> int:
    """Return the set of these positions, all below ``size``."""
    # Bytes first: setting one bit after the other in an integer would copy it each time.
    bits = bytearray(size // 8 + 1)
    for at in positions:
        bits[at >> 3] |= 1 << (at & 7)
    return int.from_bytes(bits, "little")


def union(sets: Iterable[int]) -> int:
    """Return the positions of all of these sets."""
    result = 0
    for positions in sets:
        result |= positions
    return result


def members(positions: int) -> Iterator[int]:
    """Yield the positions of a set, in order."""
    while positions:
        lowest = positions & -positions
        yield lowest.bit_length() - 1
        positions ^= lowest
