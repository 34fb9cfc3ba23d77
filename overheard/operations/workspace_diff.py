"""What saving a workspace would change, part by part, without any secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from overheard.channels import ChannelOptions
from overheard.channels.redact import redact
from overheard.db import workspace_specs, workspaces
from overheard.db.database import Db
from overheard.errors import NotFound
from overheard.operations.workspaces import redacted, specs_in
from overheard.sources.registry import place_label, public_place
from overheard.workspaces import ChannelSpec, LimitCheck, MuteSpec, QuerySpec, WorkspaceSpec
from overheard.workspaces.mutes import mute_text
from overheard.workspaces.validation import unlimited

Sign = Literal["+", "-", "~", "="]
SCALARS = ("name", "timezone", "every", "digest", "quiet", "working")
UNCHANGED = "unchanged"


class SpecChange(msgspec.Struct, frozen=True):
    """A change: ``+`` added, ``-`` removed, ``~`` changed, ``=`` the whole workspace stays as it is."""

    sign: Sign
    workspace: str
    text: str


class DiffEntry(NamedTuple):
    """A part of a workspace: its name for people, its whole content, and what may be shown of that."""

    label: str
    content: object
    shown: str


def changes(before: WorkspaceSpec | None, after: WorkspaceSpec) -> list[SpecChange]:
    """Return what saving ``after``, normalized, changes; both with their secrets. ``before``: None if it is new."""
    if before is None:
        nothing = WorkspaceSpec(slug=after.slug, timezone="", every="", digest="")
        found: list[tuple[Sign, str]] = [("+", "new workspace"), *_changes(nothing, after)]
    else:
        found = list(_changes(before, after)) or [("=", UNCHANGED)]
    return [SpecChange(sign, after.slug, text) for sign, text in found]


def planned(
    text: bytes, where: str, allowed: ChannelOptions, check_limits: LimitCheck = unlimited, db: Db | None = None
) -> list[SpecChange]:
    """Return what an import of this TOML text would change; without a database, everything is new.

    Raises InvalidInput.
    """
    found: list[SpecChange] = []
    for spec in specs_in(text, where, allowed, check_limits):
        found += changes(None if db is None else stored_spec(db, spec.slug), spec)
    return found


def stored_spec(db: Db, slug: str) -> WorkspaceSpec | None:
    """Return a workspace as it is stored, with its secrets; None if there is none."""
    try:
        return workspace_specs.load(db, workspaces.by_name(db, slug).id, secrets=True)
    except NotFound:
        return None


def removals(found: Sequence[SpecChange]) -> list[SpecChange]:
    """Return the changes that remove something."""
    return [change for change in found if change.sign == "-"]


def is_unchanged(found: Sequence[SpecChange]) -> bool:
    """Return True if nothing changes."""
    return all(change.sign == "=" for change in found)


def _changes(before: WorkspaceSpec, after: WorkspaceSpec) -> Iterator[tuple[Sign, str]]:
    for field in SCALARS:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            yield "~" if old and new else "+" if new else "-", f"{field}: {_arrow(old, new)}"
    yield from _entry_changes("watch of", _watches(before), _watches(after))
    yield from _entry_changes("query", _queries(before), _queries(after), "its mentions are kept")
    yield from _channel_changes(before.channel, after.channel)
    yield from _entry_changes("mute of", _mutes(before.mute), _mutes(after.mute))


def _entry_changes(
    noun: str, before: Mapping[object, DiffEntry], after: Mapping[object, DiffEntry], when_removed: str = ""
) -> Iterator[tuple[Sign, str]]:
    for key, entry in after.items():
        if key not in before:
            yield "+", f"{noun} {entry.label}: {entry.shown}"
        elif before[key].content != entry.content:
            yield "~", f"{noun} {entry.label}: {_arrow(before[key].shown, entry.shown)}"
    for key, entry in before.items():
        if key not in after:
            yield "-", f"{noun} {entry.label}: {entry.shown}{f' ({when_removed})' if when_removed else ''}"


def _channel_changes(before: Sequence[ChannelSpec], after: Sequence[ChannelSpec]) -> Iterator[tuple[Sign, str]]:
    old, new = {each.name: each for each in before}, {each.name: each for each in after}
    for name, channel in new.items():
        if name not in old:
            yield "+", f"channel {name}: {redact(channel.url)}, {', '.join(pace(channel))}"
            continue
        was = old[name]
        if was.url != channel.url:
            yield "~", f"channel {name}: url: {_arrow(redact(was.url), redact(channel.url))}"
        if was.secret != channel.secret and channel.secret is not None:
            yield "~", f"channel {name}: secret: another one"
        for (key, left), right in zip(_pace_fields(was).items(), _pace_fields(channel).values(), strict=True):
            if left != right:
                yield "~", f"channel {name}: {key}: {_arrow(left, right)}"
    for name, channel in old.items():
        if name not in new:
            yield "-", f"channel {name}: {redact(channel.url)} (with what waits for it, and its history)"


def _pace_fields(channel: ChannelSpec) -> dict[str, str]:
    return {
        "mode": channel.mode,
        "queries": ", ".join(channel.queries) or "all",
        "min_gap": channel.min_gap,
        "max_per_hour": str(channel.max_per_hour),
        "summary_every": channel.summary_every,
    }


def pace(channel: ChannelSpec) -> list[str]:
    """Return a channel's mode, and what else of its pace is not as usual."""
    defaults = _pace_fields(ChannelSpec(channel.name, channel.url))
    given = _pace_fields(channel)
    return [channel.mode, *(f"{key} {text}" for key, text in given.items() if key != "mode" and text != defaults[key])]


def _watches(spec: WorkspaceSpec) -> dict[object, DiffEntry]:
    kinds: dict[tuple[str, str], set[str]] = {}
    for feed in spec.feeds:
        kinds.setdefault((feed.source, feed.place), set()).update(feed.kinds)
    return {
        (source, place): DiffEntry(
            place_label(source, public_place(source, place)),
            wanted,
            " and ".join(f"{kind}s" for kind in sorted(wanted, reverse=True)),
        )
        for (source, place), wanted in kinds.items()
    }


def _queries(spec: WorkspaceSpec) -> dict[object, DiffEntry]:
    return {
        query.name: DiffEntry(query.name, query, f"{query.text}{limits_text(shown)}")
        for query, shown in zip(spec.query, redacted(spec).query, strict=True)
    }


def limits_text(query: QuerySpec) -> str:
    """Return what a query is limited to, for the end of its text; empty if it is not limited."""
    named = [*query.places, *(query.sources if not query.places else ()), *query.kinds]
    return f" (only {', '.join(named)})" if named else ""


def _mutes(mutes: Sequence[MuteSpec]) -> dict[object, DiffEntry]:
    return {
        msgspec.structs.replace(mute, until=""): DiffEntry(
            mute_text(mute), mute, f"until {mute.until}" if mute.until else "for good"
        )
        for mute in mutes
    }


def _arrow(before: str, after: str) -> str:
    if not before or not after:
        return before or after
    # They differ in what is secret.
    return f"another one, {after}" if before == after else f"{before} → {after}"
