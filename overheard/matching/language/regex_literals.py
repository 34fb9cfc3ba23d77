"""The texts that every match of a regular expression contains, so that the index need not try it on each item."""

from __future__ import annotations

import re

from overheard.matching.text.folding import fold

_MIN_CHARACTERS = 3
_MAX_LITERALS = 50
_MAX_DEPTH = 20

Literals = tuple[str, ...]


def literals(regex: str) -> Literals:
    """Return folded texts of which each match contains at least one; () if that is not certain.

    Only of ASCII letters and digits: the folding of other letters can depend on their neighbours, which the expression
    does not show.
    """
    try:
        required = _Reader(regex).either(0)
    except _Uncertain:
        return ()
    return tuple(dict.fromkeys(map(fold, required))) if len(required) <= _MAX_LITERALS else ()


class _Uncertain(Exception):
    """The expression has syntax that is not read here."""


_GROUP = re.compile(r"\((?!\?)|\(\?(?:P?<\w+>|[imsU-]*:)")
_FLAGS = re.compile(r"\(\?[imsU-]+\)")
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\\[]|\\.|\[:\^?\w+:\]|\[)*\]", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:[pP](?:\{\^?\w+\}|\w)|[bBAzdDsSwWntrfva]|[^\w])", re.DOTALL)
_QUANTIFIER = re.compile(r"(?:([*?])|([+])|\{(\d+)(?:,\d*)?\})\??")
_RUN = re.compile(r"[A-Za-z0-9]+")


class _Reader:
    def __init__(self, regex: str) -> None:
        self.regex = regex
        self.at = 0

    def either(self, depth: int) -> Literals:
        """Read alternatives up to a closing bracket or the end."""
        if depth > _MAX_DEPTH:
            raise _Uncertain
        branches = [self._branch(depth)]
        while self._take("|"):
            branches.append(self._branch(depth))
        # An alternative that requires nothing leaves a way to match without any of the others' texts.
        return tuple(text for branch in branches for text in branch) if all(branches) else ()

    def _branch(self, depth: int) -> Literals:
        candidates: list[Literals] = []
        while self.at < len(self.regex) and self.regex[self.at] not in "|)":
            if run := _RUN.match(self.regex, self.at):
                candidates.append(self._run(run[0]))
            else:
                candidates.append(self._other(depth))
        # Of texts that are all required, the one that is presumably the rarest.
        return max(candidates, key=lambda one: (min(map(len, one), default=0), -len(one)), default=())

    def _run(self, run: str) -> Literals:
        self.at += len(run)
        count = self._quantifier()
        if count is None:
            return self._long_enough(run)
        # The quantifier is about the last character only, which is there once if it is at least once.
        return self._long_enough(run if count else run[:-1])

    def _other(self, depth: int) -> Literals:
        required: Literals = ()
        if flags := _FLAGS.match(self.regex, self.at):
            self.at = flags.end()
        elif group := _GROUP.match(self.regex, self.at):
            self.at = group.end()
            required = self.either(depth + 1)
            if not self._take(")"):
                raise _Uncertain
        elif self.regex[self.at] in "([\\{":
            match = _CLASS.match(self.regex, self.at) or _ESCAPE.match(self.regex, self.at)
            if match is None:
                raise _Uncertain
            self.at = match.end()
        else:
            self.at += 1  # a dot, an anchor, a sign, or a letter that is not ASCII
        count = self._quantifier()
        return required if count is None or count else ()

    def _quantifier(self) -> int | None:
        """Read a quantifier and return how often, at least, it requires what is before it; None without one."""
        match = _QUANTIFIER.match(self.regex, self.at)
        if match is None:
            return None
        self.at = match.end()
        return int(match[3]) if match[3] else int(match[1] is None)

    def _take(self, sign: str) -> bool:
        found = self.regex.startswith(sign, self.at)
        self.at += found
        return found

    @staticmethod
    def _long_enough(run: str) -> Literals:
        return (run,) if len(run) >= _MIN_CHARACTERS else ()
