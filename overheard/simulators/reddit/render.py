"""Render Reddit's JSON: things, listings and errors.

Fields that never vary are spliced in as prepared text: a page of 100 items must cost well under 5 ms, so that the
simulator is not the bottleneck of a benchmark.
"""

from __future__ import annotations

import html
import json
import zlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from .items import Comment, Item, Kind, Post, Subreddit, base36
from .unchanging import unchanging

SITE = "https://www.reddit.com"

_REMOVED_BY = {"author": "deleted", "moderator": "moderator", "filter": "automod_filtered"}


def error(status: int, message: str, **more: str) -> str:
    """Return the body of an error; `more` may contain the reason (private, banned, quarantined)."""
    return json.dumps({**more, "message": message, "error": status})


def listing(things: Iterable[str], *, after: str | None = None, before: str | None = None) -> str:
    """Return a Listing of things that are JSON text already."""
    children = list(things)
    head = f'{{"kind": "Listing", "data": {{"after": {json.dumps(after)}, "dist": {len(children)}, '
    middle = f'"modhash": null, "geo_filter": "", "children": [{", ".join(children)}], '
    return f'{head}{middle}"before": {json.dumps(before)}}}}}'


def thing(item: Item) -> str:
    """Return an item as Reddit shows it publicly: deleted and removed ones without author and text."""
    return _post(item) if isinstance(item, Post) else _comment(item)


def subreddit(home: Subreddit) -> str:
    """Return the t5 thing of `/r/{name}/about`; to accounts that cannot read it, a private one shows little."""
    data = {
        "id": base36(home.number),
        "name": home.fullname,
        "display_name": home.name,
        "display_name_prefixed": f"r/{home.name}",
        "title": home.name,
        "url": f"/r/{home.name}/",
        "public_description": f"The simulator's r/{home.name}",
        "description": "",
        "subreddit_type": "user" if home.is_profile else "private" if home.state == "private" else "public",
        "over18": False,
        "quarantine": home.state == "quarantined",
        "subscribers": 1000,
        "user_is_contributor": None,
        "user_is_moderator": None,
        "created": home.created,
        "created_utc": home.created,
        "lang": "en",
    }
    if home.state == "private":
        data |= dict.fromkeys(("description", "over18", "quarantine", "subscribers", "lang"))
    return json.dumps({"kind": "t5", "data": data})


def _post(post: Post) -> str:
    return _spliced("t3", _varying(post))


def _varying(post: Post) -> dict[str, Any]:
    home, url = post.subreddit, _url(post)
    is_self = url is None
    text = _text(post)
    return {
        **_shared(post),
        "title": _title(post),
        "selftext": text,
        "selftext_html": _markdown(text) if text else None,
        "is_self": is_self,
        "url": SITE + post.permalink if url is None else url,
        "domain": f"self.{home.name}" if url is None else urlsplit(url).hostname or "",
        "thumbnail": "self" if is_self else "default",
        "over_18": post.over_18,
        "link_flair_text": post.flair,
        "num_comments": post.comments,
        "removed_by_category": _REMOVED_BY.get(post.gone or ""),
        "is_robot_indexable": post.gone is None,
        "subreddit_subscribers": 1000,
        **_further(post),
    }


def _url(post: Post) -> str | None:
    """Return what a post links to; None for a text post."""
    if post.original is not None:
        return post.original.permalink
    return f"{SITE}/gallery/{base36(post.number)}" if post.captions else post.url


def _further(post: Post) -> dict[str, Any]:
    """Return the fields of galleries, polls and crossposts, which other posts do not have."""
    found: dict[str, Any] = {}
    if post.captions:
        pictures = [(f"picture{number}", caption) for number, caption in enumerate(post.captions)]
        found |= {
            "is_gallery": True,
            "gallery_data": {
                "items": [
                    {"caption": caption, "media_id": media, "id": number}
                    for number, (media, caption) in enumerate(pictures)
                ]
            },
            "media_metadata": {
                media: {"status": "valid", "e": "Image", "m": "image/jpg", "p": [], "s": {}, "id": media}
                for media, _ in pictures
            },
        }
    if post.options:
        options = [{"id": str(number), "text": text} for number, text in enumerate(post.options)]
        found["poll_data"] = {"options": options, "is_prediction": False, "total_vote_count": 0, "user_selection": None}
    if post.original is not None:
        found |= {"crosspost_parent": post.original.fullname, "crosspost_parent_list": [_varying(post.original)]}
    return found


def _comment(comment: Comment) -> str:
    text = _text(comment)
    varying = _shared(comment) | {
        "body": text,
        "body_html": _markdown(text),
        "parent_id": comment.parent,
        "link_id": comment.link.fullname,
        "link_title": _title(comment.link),
        "link_author": _author(comment.link),
        "link_permalink": SITE + comment.link.permalink,
        "link_url": _url(comment.link) or SITE + comment.link.permalink,
        "num_comments": comment.link.comments,
        "over_18": comment.link.over_18,
    }
    return _spliced("t1", varying)


def _shared(item: Item) -> dict[str, Any]:
    home = item.subreddit
    data = {
        "id": base36(item.number),
        "name": item.fullname,
        "author": _author(item),
        "subreddit": home.name,
        "subreddit_id": home.fullname,
        "subreddit_name_prefixed": f"r/{home.name}",
        "permalink": item.permalink,
        "created": item.created,
        "created_utc": item.created,
        "edited": item.edited or False,
    }
    if not item.gone and not item.orphaned:
        # Absent, not null, once the author is gone. Reddit does the same, and code that indexes the field crashes.
        # Any stable number will do as the author's id.
        data["author_fullname"] = f"t2_{base36(zlib.crc32(item.author.lower().encode()))}"
    return data


def _author(item: Item) -> str:
    return "[deleted]" if item.gone or item.orphaned else item.author


def _title(post: Post) -> str:
    return "[deleted by user]" if post.gone == "author" else post.title


def _text(item: Item) -> str:
    if item.gone and item.text:
        return "[deleted]" if item.gone == "author" else "[removed]"
    return item.text


def _markdown(text: str) -> str:
    paragraphs = html.escape(text, quote=False).replace("\n\n", "</p>\n\n<p>")
    return f'<!-- SC_OFF --><div class="md"><p>{paragraphs}</p>\n</div><!-- SC_ON -->'


def _spliced(kind: Kind, varying: dict[str, Any]) -> str:
    return f'{{"kind": "{kind}", "data": {json.dumps(varying)[:-1]}, {unchanging(kind)}}}'
