"""Turn the record of a post into an item: https://docs.bsky.app/docs/advanced-guides/posts. Pure.

Only what an item needs is read. A part that is not as expected is left out, so that it costs nothing but itself; a
record without a text is not a post.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from overheard.items import ALL, Item
from overheard.sources.bluesky.names import ITEM_ID, SOURCE, item_id, permalink
from overheard.sources.sanitize import language_tag, sanitized, web_address

# ``createdAt`` is only the client's word: beyond this it is not believed, and the time of the event counts.
CLIENT_CLOCK_SECONDS = 300.0
LINK_MAX_CHARS = 4096
ALT_TEXTS_MAX = 8  # Bluesky's clients send up to four images
LANGUAGES_MAX = 3  # that a post may have
LABELS_MAX = 10  # that an author may set
ADULT_LABELS = ("porn", "sexual", "nudity", "graphic-media")
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


class PostRecord(msgspec.Struct):
    text: str
    createdAt: object = None
    reply: object = None
    embed: object = None
    langs: object = None
    labels: object = None


_post = msgspec.json.Decoder(PostRecord)


def to_item(did: str, record_key: str, record: msgspec.Raw, *, at: float, edited: bool) -> Item:
    """Return the item of a post that the stream reported at ``at``. Raises ValueError; its text quotes no item."""
    ref = item_id(did, record_key)
    if ref is None:
        raise ValueError("its account or key is not valid")
    try:
        post = _post.decode(record)
    except UNREADABLE as error:
        raise ValueError("a text is not Unicode" if isinstance(error, UnicodeError) else "not a post") from None
    root = _root(post.reply)
    link, texts = _embedded(post.embed)
    return Item(
        source=SOURCE,
        id=ref,
        kind="post" if root is None else "comment",
        place=ALL,
        author=did,
        body=sanitized(post.text),
        url=link,
        permalink=permalink(did, record_key),
        thread=root or ref,
        texts=texts,
        lang=_language(post.langs),
        nsfw=_labelled_adult(post.labels),
        created_at=_created_at(post.createdAt, at),
        edited_at=at if edited else None,
    )


def _root(reply: object) -> str | None:
    """Return the id of the post that begins the thread; None if the post is not a reply."""
    for end in ("root", "parent"):
        uri = _text(_part(reply, end), "uri")
        if ITEM_ID.fullmatch(uri):
            return uri
    return None


def _embedded(embed: object) -> tuple[str, dict[str, str]]:
    """Return the address of an embedded link, and the embedded texts: the link's title, and descriptions of images."""
    # A quotation with media has them one level lower.
    media = embed if _part(embed, "media") is None else _part(embed, "media")
    external = _part(media, "external")
    link = web_address(_text(external, "uri"), LINK_MAX_CHARS)
    images = _part(media, "images")
    pictures = images[:ALT_TEXTS_MAX] if isinstance(images, list) else []
    texts = {
        "link": "\n".join(filter(None, (_text(external, "title"), _text(external, "description")))),
        "caption": "\n\n".join(filter(None, (_text(picture, "alt") for picture in (*pictures, media)))),
    }
    return link, {name: sanitized(text) for name, text in texts.items() if text}


def _language(langs: object) -> str:
    return next(filter(None, map(language_tag, langs[:LANGUAGES_MAX])), "") if isinstance(langs, list) else ""


def _labelled_adult(labels: object) -> bool:
    """Return True if the author has labelled the post as for adults only."""
    values = _part(labels, "values")
    return isinstance(values, list) and any(_text(value, "val") in ADULT_LABELS for value in values[:LABELS_MAX])


def _created_at(claimed: object, at: float) -> float:
    try:
        moment = datetime.fromisoformat(claimed if isinstance(claimed, str) else "")
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return at
    return min(seconds, at) if abs(seconds - at) <= CLIENT_CLOCK_SECONDS else at


def _part(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: object, name: str) -> str:
    text = _part(value, name)
    return text if isinstance(text, str) else ""
