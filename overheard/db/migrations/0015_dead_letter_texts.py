"""Dead letters hold no texts of items: what older ones hold goes, see ``overheard.bus.dead_letters.redacted_body``.

Refused public events stay as they are. Of all others the traceback goes, as it may quote an item, and so do the words
of errors that are not ours. A message of ids stays; of a message of items their ids do; of anything else nothing.
"""

import hashlib
import json
import re

from peewee import *

BATCH = 20  # rows in memory at once: a body may be 4 MiB
READ_AGAIN = "its items are read again by the next reading: drop it"
FOREIGN = "it was never a message of ours: find out who publishes it, then drop it"
ENVELOPE = {"queue_name", "actor_name", "args", "kwargs", "options", "message_id", "message_timestamp"}
MESSAGES = {  # of ids, with all that they may hold
    "fetch": {"v", "workspace_id", "fresh_since", "reason", "attempt", "resume"},
    "notify": {"v", "channel_id", "lease"},
    "digest": {"v", "workspace_id", "period_end"},
    "recheck": {"v", "item_ids", "lease"},
}
OF_ITEMS = ("match", "store")
NAME = re.compile(r"[\w-]{1,50}", re.ASCII)
OURS = (
    "ConfigError",
    "NoDatabase",
    "InvalidInput",
    "NotFound",
    "TryAgain",
    "Unavailable",
    "BusUnavailable",
    "QueueMismatch",
    "LoginRefused",
    "DeliveryRefused",
    "Permanent",
    "FeedRefused",
    "ChannelGone",
    "EgressRefused",
    "TokenRefused",
    "not an envelope of ours",
)


def up(migrator, db):
    class DeadLetter(Model):
        id = BigAutoField()
        origin = TextField()
        reason = TextField()
        traceback = TextField(null=True)
        body = TextField()

        class Meta:
            database = db
            table_name = "dead_letter"

    last = 0
    columns = (DeadLetter.id, DeadLetter.origin, DeadLetter.reason, DeadLetter.body)
    some = DeadLetter.select(*columns).where(DeadLetter.origin != "rejected").order_by(DeadLetter.id).limit(BATCH)
    while rows := list(some.where(DeadLetter.id > last).tuples()):
        for letter_id, origin, reason, body in rows:
            told = reason if origin == "xq" else _told(reason)
            values = {"reason": told, "traceback": None, "body": _kept(body)}
            DeadLetter.update(values).where(DeadLetter.id == letter_id).execute()
        last = rows[-1][0]


def _told(reason):
    kind = reason.partition(":")[0]
    return reason if kind in OURS else kind


def _kept(body):
    data = _envelope(body)
    stage, message = (data["actor_name"], data["args"][0]) if data else (None, {})
    if stage in OF_ITEMS:
        return _dumped({"not_kept": READ_AGAIN, "message_id": data["message_id"], **_without_texts(message)})
    if stage in MESSAGES and message.keys() <= MESSAGES[stage]:
        data["options"].pop("traceback", None)
        return _dumped(data)
    raw = body.encode("utf-8", "backslashreplace")
    return _dumped({"not_kept": FOREIGN, "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()})


def _envelope(body):
    """The envelope, when it is one of ours; None else."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.keys() != ENVELOPE or not isinstance(data["actor_name"], str):
        return None
    args = data["args"]
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
        return None
    return data if isinstance(data["options"], dict) and isinstance(data["message_id"], str) else None


def _without_texts(message):
    items = [entry.get("item", entry) for entry in _dicts(message, "items")]
    names = [item.get("name") for item in items if isinstance(item, dict)]
    groups = [target.get("group_id") for target in _dicts(message, "targets")]
    return {
        "poll": str(message.get("poll_id"))[:200],
        "part": message.get("part") if isinstance(message.get("part"), int) else None,
        "items": len(items),
        "groups": [group for group in groups if isinstance(group, int)],
        "names": [name for name in names if isinstance(name, str) and NAME.fullmatch(name)],
    }


def _dicts(message, key):
    found = message.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _dumped(data):
    return json.dumps(data, separators=(",", ":"))


def down(migrator, db):
    """What was taken out does not come back; older versions read what is left."""
