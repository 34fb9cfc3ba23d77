"""What Reddit's posts say beside title and text: a crosspost's original title, captions, the options of a poll. Pure.

Few posts have any of it, and Reddit documents none of it. What is not as expected is left out, and the post is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from overheard.sources.reddit.names import REMOVED_BODIES
from overheard.sources.sanitize import sanitized, web_address

# Reddit allows 300 characters in a title, 180 in a caption, 120 in an option; 20 pictures, 6 options.
LINE_MAX_CHARS = 300
CAPTIONS_MAX = 40
OPTIONS_MAX = 20
PARAGRAPH = "\n\n"  # between captions, and between options: a phrase does not run from one into the next


def further_texts(crossposts: object, gallery: object, poll: object) -> dict[str, str]:
    """Return a post's further texts by name, from its ``crosspost_parent_list``, ``gallery_data`` and ``poll_data``."""
    texts = {
        "crosspost": "" if is_original_gone(crossposts) else _line(_original(crossposts).get("title")),
        "caption": PARAGRAPH.join(islice(_captions(gallery), CAPTIONS_MAX)),
        "poll": PARAGRAPH.join(islice(_options(poll), OPTIONS_MAX)),
    }
    return {name: text for name, text in texts.items() if text}


def is_original_gone(crossposts: object) -> bool:
    """Return True if the post that a crosspost shows was deleted or removed: its title is not repeated then."""
    original = _original(crossposts)
    nameless = original.get("author") in (None, "", "[deleted]")
    return bool(original.get("removed_by_category")) or (nameless and original.get("selftext") in REMOVED_BODIES)


def _original(crossposts: object) -> dict[str, Any]:
    found = crossposts[0] if isinstance(crossposts, list) and crossposts else None
    return found if isinstance(found, dict) else {}


def _captions(gallery: object) -> Iterator[str]:
    """Yield what stands below each picture: its caption, and the address that it links to."""
    for picture in _objects(gallery, "items"):
        address = _line(picture.get("outbound_url"))
        if caption := " ".join(filter(None, (_line(picture.get("caption")), web_address(address)))):
            yield caption


def _options(poll: object) -> Iterator[str]:
    return filter(None, (_line(option.get("text")) for option in _objects(poll, "options")))


def _objects(parent: object, key: str) -> Iterator[dict[str, Any]]:
    values = parent.get(key) if isinstance(parent, dict) else None
    return (value for value in (values if isinstance(values, list) else ()) if isinstance(value, dict))


def _line(value: object) -> str:
    """Return a text as one line of bounded length; "" for anything that is not a text."""
    return " ".join(sanitized(value[:LINE_MAX_CHARS]).split()) if isinstance(value, str) else ""
