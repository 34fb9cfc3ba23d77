"""What is wrong with a workspace, and where: the table and key of its file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

import msgspec

Path = tuple[str | int, ...]
SHOWN_NAMES = 20  # of those that are valid


class SpecProblem(msgspec.Struct, frozen=True):
    """A sentence, and the place that it is about: ``("every",)``, or part, row and key: ``("channel", 1, "url")``."""

    text: str
    path: Path = ()


def within(path: Path, problems: Iterable[SpecProblem | str]) -> Iterator[SpecProblem]:
    """Yield the problems of a part of the workspace with their place in the whole."""
    for problem in problems:
        if isinstance(problem, SpecProblem):
            yield SpecProblem(problem.text, path + problem.path)
        else:
            yield SpecProblem(problem, path)


def valid_names(word: str, names: Iterable[str]) -> str:
    """Return ``valid: a, b; did you mean b?`` for a name that is not one of them."""
    known = list(names)
    more = f" and {len(known) - SHOWN_NAMES:,} more" if len(known) > SHOWN_NAMES else ""
    # Of a longer word the comparison takes long, and none of ours is as long.
    close = difflib.get_close_matches(word, known, n=1) if len(word) <= 100 else []
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"valid: {', '.join(known[:SHOWN_NAMES]) or 'none'}{more}{hint}"
