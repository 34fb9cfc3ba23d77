"""What saving a workspace would change: every key counts, and no secret is shown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from overheard.operations.workspace_diff import changes, is_unchanged, removals
from overheard.workspaces import ChannelSpec, MuteSpec, QuerySpec, WatchSpec, WorkspaceSpec, validated

SPEC = validated(
    WorkspaceSpec(
        slug="acme",
        subreddits=("python", "rust"),
        quiet="22:00-07:00",
        working="mon-fri 08:00-18:00",
        query=(QuerySpec("brand", "acme"), QuerySpec("help", "acme help")),
        channel=(ChannelSpec("team", "https://example.org/t0ken", secret="whsec_" + "A" * 32),),
        mute=(MuteSpec("brand", "bot", "python", "t3_1", "2030-01-01T00:00:00Z"),),
    )
)
OTHERS: dict[str, Any] = {
    "name": "Acme", "timezone": "Europe/Berlin", "every": "1h", "digest": "1d", "quiet": "", "working": "08:00-23:00",
    "subreddits": ("python",), "kinds": ("posts",), "watch": (WatchSpec("hackernews", ("all",)),),
    "query": SPEC.query[:1], "channel": (), "mute": (),
}  # fmt: skip
OTHERS_OF_A_QUERY = {
    "name": "mark", "text": "acmedb", "places": ("python",), "sources": ("reddit",), "kinds": ("posts",),
}  # fmt: skip
OTHERS_OF_A_CHANNEL: dict[str, Any] = {
    "name": "ops", "url": "https://example.org/other", "mode": "both", "secret": "whsec_" + "B" * 32,
    "min_gap": "1s", "max_per_hour": 0, "summary_every": "1m", "queries": ("brand",),
}  # fmt: skip
OTHERS_OF_A_MUTE = {"query": "help", "author": "x", "place": "rust", "thread": "t3_2", "until": ""}


@pytest.mark.parametrize("key", [key for key in WorkspaceSpec.__struct_fields__ if key != "slug"])
def test_a_change_of_any_key_of_a_workspace_is_seen(key: str) -> None:
    found = changes(SPEC, msgspec.structs.replace(SPEC, **{key: OTHERS[key]}))
    assert not is_unchanged(found)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        (part, key, others[key])
        for part, struct, others in (
            ("query", QuerySpec, OTHERS_OF_A_QUERY),
            ("channel", ChannelSpec, OTHERS_OF_A_CHANNEL),
            ("mute", MuteSpec, OTHERS_OF_A_MUTE),
        )
        for key in struct.__struct_fields__
    ],
)
def test_a_change_of_any_key_of_a_part_is_seen(part: str, key: str, value: Any) -> None:
    first, *rest = getattr(SPEC, part)
    found = changes(
        SPEC, msgspec.structs.replace(SPEC, **{part: (msgspec.structs.replace(first, **{key: value}), *rest)})
    )
    assert not is_unchanged(found)
    assert "whsec" not in str(found)
    assert "t0ken" not in str(found)


def test_the_same_workspace_is_unchanged_and_an_absent_secret_stays() -> None:
    assert [(change.sign, change.text) for change in changes(SPEC, SPEC)] == [("=", "unchanged")]
    [team] = SPEC.channel
    absent = msgspec.structs.replace(SPEC, channel=(msgspec.structs.replace(team, secret=None),))
    assert is_unchanged(changes(SPEC, absent))
    assert is_unchanged(changes(SPEC, msgspec.structs.replace(SPEC, subreddits=("Rust", "Python"))))


def test_what_is_removed_is_listed() -> None:
    less = msgspec.structs.replace(SPEC, quiet="", subreddits=("python",), query=SPEC.query[:1], channel=(), mute=())
    assert [change.text for change in removals(changes(SPEC, less))] == [
        "quiet: 22:00-07:00",
        "watch of r/rust: posts and comments",
        "query help: acme help (its mentions are kept)",
        "channel team: https://example.org/*** (with what waits for it, and its history)",
        "mute of query brand, author bot, place python, thread t3_1: until 2030-01-01T00:00:00Z",
    ]
