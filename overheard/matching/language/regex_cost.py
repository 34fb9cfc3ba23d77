"""What the regular expressions of a workspace's queries may cost, all together."""

from __future__ import annotations

from overheard.matching.language.regex import program_size
from overheard.matching.tree import And, Node, Not, Or, Pattern

# In RE2's instructions, each of which may be a step for each character where RE2 cannot remember its states: measured,
# so many take 1.7 s for an item of 40,000 characters that is made for them. Of the whole workspace, because 400 queries
# that share this time would have too little each.
MAX_PATTERN_COST = 5_000
# Where a match has to be inside or outside of addresses, several may be tried.
_IN_LINKS_FACTOR = 10


def pattern_cost(node: Node) -> int:
    """Return the most steps that the expressions of a query may take for a character of a text."""
    match node:
        case Not(part=part):
            return pattern_cost(part)
        case And(parts=parts) | Or(parts=parts):
            return sum(map(pattern_cost, parts))
        case Pattern(regex=regex, case=case, where=where):
            return program_size(regex, case) * (1 if where.in_links is None else _IN_LINKS_FACTOR)
        case _:
            return 0
