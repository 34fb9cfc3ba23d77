"""Write down what each receiver got: a table of messages by hour, and all texts as a person reads them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.messages.day.receivers import Received

HOURS = range(24)


def receiver_name(received: Received) -> str:
    """Return a name for a file: the medium and the end of the address."""
    end = "".join(char if char.isalnum() else "-" for char in received.to.strip("/").lower())
    return f"{received.medium}-{end[-24:].strip('-')}"


def by_receiver(everything: Iterable[Received]) -> dict[str, list[Received]]:
    """Return the messages of each receiver."""
    found: dict[str, list[Received]] = defaultdict(list)
    for received in everything:
        found[receiver_name(received)].append(received)
    return dict(sorted(found.items()))


def hours_table(receivers: dict[str, list[Received]], zone: str) -> Iterator[str]:
    """Yield the lines of a table: messages by hour of the day, in the zone."""
    width = max(map(len, receivers), default=0)
    yield f"{'':{width}}  {' '.join(f'{hour:3}' for hour in HOURS)}   all"
    for name, messages in receivers.items():
        hours = Counter(_local(each.at, zone).hour for each in messages)
        row = " ".join(f"{hours[hour] or '·':>3}" for hour in HOURS)
        yield f"{name:{width}}  {row}  {len(messages):4}"


def transcript(received: Received, zone: str) -> str:
    """Return a message and when it arrived, as text."""
    return f"--- {_local(received.at, zone):%a %H:%M:%S} ---\n{text_of(received)}\n\n"


def text_of(received: Received) -> str:
    """Return a message as its markup, without what only programs read."""
    content: Any = received.content
    match received.medium:
        case "slack":
            return f"(notification) {content['text']}\n{_slack(content['blocks'])}"
        case "discord":
            return "\n".join(map(_embed, content["embeds"]))
        case "telegram":
            return str(content["text"])
        case "ntfy":
            return f"# {content.get('title')}\n{content['message']}\n-> {content.get('click')}"
        case "mail":
            headers = "\n".join(f"{name}: {content.message[name]}" for name in ("From", "Subject"))
            return f"{headers}\n\n{content.part('plain')}"
        case _:
            return json.dumps(content, ensure_ascii=False, indent=1)


def _slack(blocks: Any) -> str:
    lines = []
    for block in blocks:
        if "text" in block:
            lines.append(block["text"]["text"])
        lines += [each["text"] for each in block.get("elements", ()) if isinstance(each.get("text"), str)]
    return "\n".join(lines)


def _embed(embed: Any) -> str:
    parts = (embed["title"], embed.get("url"), embed.get("description"), embed.get("footer", {}).get("text"))
    return "\n".join(part for part in parts if part)


def _local(at: float, zone: str) -> datetime:
    return datetime.fromtimestamp(at, ZoneInfo(zone))
