"""A day of text through every medium: here a little invented text, so that ``make day`` works when it is needed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec

from overheard.operations.channels import options
from overheard.workspaces import read
from tests.messages.day.__main__ import START, WORKSPACES, ZONE
from tests.messages.day.flow import DAY_SECONDS, day_of_items
from tests.messages.day.receivers import open_receivers
from tests.messages.day.transcript import by_receiver, hours_table, transcript
from tests.messages.day.virtual_day import SteppedClock, VirtualDay

POSTS, COMMENTS = 240, 24
BEGIN = START + 8.9 * 3600  # shortly before the digest
SECONDS = 600.0


def write_corpus(folder: Path) -> None:
    posts = [
        {
            "name": f"t3_{number}", "subreddit": "linux", "title": f"Linode &amp; others {number}", "selftext": "",
            "is_self": False, "url": f"https://example.org/{number}", "permalink": f"/r/linux/comments/{number}/x/",
        }
        for number in range(POSTS)
    ]  # fmt: skip
    comments = [{"id": f"c{number}", "body": "I recommend a vps"} for number in range(COMMENTS)]
    for name, rows in (("posts", posts), ("comments", comments)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(row)}\n" for row in rows)


def test_text_reaches_every_receiver_and_no_service_refuses_any_of_it(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    items = day_of_items(tmp_path, START)
    assert len(items) > POSTS
    assert all(START <= item.created_at < START + DAY_SECONDS for item in items)
    clock, files = SteppedClock(BEGIN), tmp_path / "files"
    files.mkdir()
    with open_receivers(clock, files) as receivers:
        text = WORKSPACES.read_text("utf-8")
        for name, address in receivers.addresses().items():
            text = text.replace(name, address)
        day = VirtualDay(tmp_path, clock, receivers)
        day.save(read(text, WORKSPACES.name, options(receivers.config(), allow_private=True)))
        few = [msgspec.structs.replace(item, created_at=BEGIN + 20 * n) for n, item in enumerate(items[:6], 1)]
        found = by_receiver(day.run(few, SECONDS))
        assert receivers.refusals() == {}
    assert len(found) == len({channel for channel in text.splitlines() if channel.startswith("url = ")})
    table = list(hours_table(found, ZONE))
    assert len(table) == 1 + len(found)
    (digest,) = found["mail-digest-calm-example"]
    assert "Calm Hosting · digest" in transcript(digest, ZONE)
    assert "Linode & others" in transcript(digest, ZONE)
