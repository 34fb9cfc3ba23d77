"""What a plan of readings has to keep to, and what it is to gain."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from overheard.reading.packing import RequestRoom


class ReadingRules(msgspec.Struct, frozen=True):
    """``budget``: requests a second. ``freshest``: no interval need be shorter; None: spare budget is saved.

    ``other_work``: the requests a second that work without a deadline would take, such as filling gaps. It gets them
    before freshness does, but at most half of what is spare. ``numbers``: by kind, of all of the source's items, how
    many are given out a second, where feeds may be read by them.
    """

    room: RequestRoom
    budget: float
    freshest: float | None
    other_work: float = 0.0
    numbers: Mapping[str, float] = {}
