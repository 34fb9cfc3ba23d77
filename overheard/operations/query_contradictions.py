"""What lets a group of required parts of a query never hold, or is without effect in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from overheard.matching.tree import And, Attribute, Node, Not, Or, Pattern, Term

SINGLE = ("source", "place", "kind", "author")  # an item has one of each


def contradictions(parts: Sequence[Node]) -> Iterator[str]:
    """Yield a sentence for each contradiction between the parts of a group."""
    wanted = [part for part in parts if not isinstance(part, Not)]
    unwanted = [part.part for part in parts if isinstance(part, Not)]
    facts = [part for part in wanted if isinstance(part, Attribute)]
    for fact, other in ((fact, other) for at, fact in enumerate(facts) for other in facts[:at]):
        if _never_both(fact, other):
            yield f"{other} and {fact} never hold together; for one of them: {_either(other, fact)}"
    for excluded in _choices(unwanted):
        if any(_implies(part, excluded) for part in wanted):
            yield f"-{excluded} excludes all that is required beside it: this never matches"
        elif isinstance(excluded, Attribute) and any(_never_both(fact, excluded) for fact in facts):
            yield f"-{excluded} has no effect beside what is required there"
    if _says(facts, "kind", "comment") and any(_in_titles_only(part) for part in wanted):
        yield "a comment has no title of its own: thread: is the title of its thread"


def _either(one: Attribute, other: Attribute) -> str:
    return f"{one.text.partition(':')[0]}:({one.value}, {other.value})"


def _never_both(one: Attribute, other: Attribute) -> bool:
    if one.name == other.name == "is":
        return {one.value, other.value} == {"self", "link"}
    starred = "*" in one.value + other.value
    return one.name == other.name and one.name in SINGLE and one.value != other.value and not starred


def _says(facts: Sequence[Attribute], name: str, value: str) -> bool:
    return any((fact.name, fact.value) == (name, value) for fact in facts)


def _in_titles_only(node: Node) -> bool:
    return isinstance(node, Term | Pattern) and node.where.fields == ("title",)


def _choices(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield nodes, of which each is enough to exclude an item."""
    for node in nodes:
        yield from node.parts if isinstance(node, Or) else (node,)


def _implies(required: Node, excluded: Node) -> bool:
    """Return True if whatever holds the one holds the other: a phrase contains its words."""
    if isinstance(required, Or):
        return all(_implies(part, excluded) for part in required.parts)
    if isinstance(required, And):
        return any(_implies(part, excluded) for part in required.parts)
    if required == excluded:
        return True
    if not isinstance(required, Term) or not isinstance(excluded, Term) or required.within is not None:
        return False
    looser = set(required.where.fields) <= set(excluded.where.fields) and not excluded.exact
    anywhere = excluded.where.in_links in (None, required.where.in_links)
    return looser and anywhere and _is_part(excluded.pieces, required.pieces)


def _is_part(few: Sequence[object], many: Sequence[object]) -> bool:
    return any(tuple(many[at : at + len(few)]) == tuple(few) for at in range(len(many) - len(few) + 1))
