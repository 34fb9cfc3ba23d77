"""An invented mention, for ``overheard channel test``."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from overheard.notices import Notice, PublicMention

BODY = (
    "This is a test message from Overheard. Nobody wrote it: it shows what a mention looks like in this channel, "
    "with the matched words highlighted where the channel can do that."
)
MATCHED_WORDS = "what a mention looks like"


def sample_notice(workspace: str) -> Notice:
    """Return a ``mention.created`` notice whose text says that it is a test. Each has an id of its own."""
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    start = BODY.index(MATCHED_WORDS)
    mention = PublicMention(
        workspace=workspace,
        item="t3_test",
        kind="post",
        subreddit="test",
        author="overheard",
        title="[Test] Overheard can reach this channel",
        body=BODY,
        permalink="/r/test/",
        created_at=now,
        stored_at=now,
        queries=("channel test",),
        highlights=(("body", start, start + len(MATCHED_WORDS)),),
        id="0",
        source="reddit",
        place="test",
        thread=None,
        thread_title="",
        url="",
        query_ids=(),
        backfilled=False,
    )
    return Notice(id=f"test_{uuid.uuid4().hex}", type="mention.created", workspace=workspace, mentions=(mention,))
