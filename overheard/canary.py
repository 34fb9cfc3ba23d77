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
LATE_AFTER_INTERVALS = 3  # intervals without one that was delivered
