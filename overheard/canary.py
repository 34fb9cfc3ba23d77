"""The names of the canary, a synthetic item that passes through the real stages and queues every few minutes.

It tells a quiet day from a broken pipeline. It has a workspace of its own, created and removed by the tick
(``producers/canary.py``), a source (``sources/canary.py``) and a channel that discards its messages
(``channels/null.py``).
"""

from __future__ import annotations

WORKSPACE = "overheard-canary"  # its slug, reserved
SOURCE = "canary"
PLACE = "overheard-canary"  # not a possible name of a subreddit: they have no dash there
QUERY = '"overheard canary"'
LATE_AFTER_INTERVALS = 3  # without a delivered item: one may be delayed by a restart
