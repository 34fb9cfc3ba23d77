"""The canary: a synthetic item that goes the whole way every few minutes, through the real stages and queues.

So silence means that nobody said anything, and not that nothing works. It lives in a workspace of its own, which the
tick makes and removes (``producers/canary.py``), is read from a source of its own (``sources/canary.py``), and is
delivered to a channel that keeps nothing (``channels/null.py``). Here is what tells it from what people say.
"""

from __future__ import annotations

WORKSPACE = "overheard-canary"  # its slug; nobody else may have it
SOURCE = "canary"
FEED = "overheard-canary"  # no subreddit's name has a dash in that place
QUERY = '"overheard canary"'
LATE_AFTER = 3  # intervals without one that was delivered

# Reddit counts up; it has used seven of these digits since 2020, and twelve is what we take at most.
NAMES = "t3_canary"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
ROOM = 36**6


def name_at(now: float) -> str:
    """The fullname of the canary of this second."""
    number, digits = int(now) % ROOM, ""
    for _ in range(6):
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return NAMES + digits


def is_canary(name: str) -> bool:
    """Whether an item of this fullname is a canary: nobody said it, and Reddit knows nothing of it."""
    return name.startswith(NAMES)
