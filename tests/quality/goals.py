"""The monitoring goals, and the items that were labelled for each: goals.toml and labels.jsonl (README.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

HERE = Path(__file__).parent
HALVES = ("A", "B")


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wants to hear of, and two queries for it.

    ``intent``: the sentence by which items were labelled. ``naive``: the query of a new user, words only.
    ``tuned``: the query of a user who knows the language. ``pool``: the regular expression that found more to label.
    """

    id: str
    intent: str
    naive: str
    tuned: str
    pool: str


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The judgement of one item. ``naive``: the words of the naive query stand in its title or body."""

    goal: str
    item: str
    label: Literal["relevant", "noise"]
    half: Literal["A", "B"]
    naive: bool

    @property
    def relevant(self) -> bool:
        return self.label == "relevant"


class _Goals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    goal: list[Goal]


def goals() -> list[Goal]:
    """Return the goals, in the order of the file."""
    return msgspec.toml.decode((HERE / "goals.toml").read_bytes(), type=_Goals).goal


def labels() -> list[Label]:
    """Return all labels, in the order of the file."""
    return msgspec.json.Decoder(Label).decode_lines((HERE / "labels.jsonl").read_bytes())
