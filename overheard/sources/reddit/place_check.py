"""What ``/api/info`` says of subreddits: by their names (``sr_name``), or by the ids that they keep when renamed. Pure.

Private subreddits are in the answer; banned ones are missing from it as if they had never existed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from overheard.decoding import converter
from overheard.items import place_key
from overheard.sources import PlaceAnswer, PlaceState
from overheard.sources.reddit.items import UNREADABLE
from overheard.sources.reddit.names import SUBREDDIT

SUBREDDIT_KIND = "t5"
PLACE_REF = re.compile(r"t5_[0-9a-z]{1,12}")
# The types that only some accounts can read; others limit who may post.
CLOSED_TYPES = ("private", "employees_only", "gold_only")


class _Subreddit(msgspec.Struct):
    name: str
    display_name: str
    subreddit_type: str | None = None
    quarantine: bool | None = None
    user_is_contributor: bool | None = None
    user_is_moderator: bool | None = None


class _SubredditChild(msgspec.Struct):
    kind: str
    data: dict[str, Any]


_to_child = converter(_SubredditChild)
_to_subreddit = converter(_Subreddit)


def answers_by_name(places: Sequence[str], children: Iterable[object]) -> list[PlaceAnswer]:
    """Return an answer for each place that was asked for by name; what was not asked for is left out."""
    return _answers(places, children, lambda answer: place_key(answer.name))


def answers_by_ref(refs: Sequence[str], children: Iterable[object]) -> list[PlaceAnswer]:
    """Return an answer for each id that was asked for, with the id as its ``place``."""
    return _answers(refs, children, lambda answer: answer.ref)


def _answers(
    asked: Sequence[str], children: Iterable[object], key: Callable[[PlaceAnswer], str | None]
) -> list[PlaceAnswer]:
    parsed = [_answer(child) for child in children]
    found = {key(answer): msgspec.structs.replace(answer, place=key(answer)) for answer in parsed if answer is not None}
    # A child that cannot be parsed may be any of those that seem to be missing.
    unsure = None in parsed
    return [found.get(name) or PlaceAnswer(name, "missing") for name in asked if name in found or not unsure]


def _answer(raw: object) -> PlaceAnswer | None:
    """Return what a child says; None if it is not a subreddit, or its name could not be requested."""
    try:
        child = _to_child(raw)
        home = _to_subreddit(child.data)
    except UNREADABLE:
        return None
    if child.kind != SUBREDDIT_KIND or not PLACE_REF.fullmatch(home.name) or not SUBREDDIT.fullmatch(home.display_name):
        return None
    return PlaceAnswer(place_key(home.display_name), _state(home), home.display_name, home.name)


def _state(home: _Subreddit) -> PlaceState:
    if home.subreddit_type in CLOSED_TYPES and not (home.user_is_contributor or home.user_is_moderator):
        return "private"
    return "quarantined" if home.quarantine else "ok"
