"""From a query as it is written to its tree: fields and options are distributed over the terms that they apply to."""

from __future__ import annotations

from overheard.matching.language.errors import QuerySyntaxError, error_at
from overheard.matching.language.field_values import values_of
from overheard.matching.language.syntax_tree import (
    WrittenAll,
    WrittenAny,
    WrittenField,
    WrittenNear,
    WrittenNode,
    WrittenNot,
    WrittenTerm,
    WrittenValues,
    name_of,
)
from overheard.matching.language.term_context import DEFAULT_CONTEXT, TermContext, context_with
from overheard.matching.language.terms import distance, leaf
from overheard.matching.tree import And, Near, Node, Not, Or, Pattern, Term, combined, negated


def tree_of(text: str, written: WrittenNode, context: TermContext = DEFAULT_CONTEXT) -> Node:
    """Return the tree of a query, or of a part of it within a context. Raise QuerySyntaxError."""
    match written:
        case WrittenTerm(token):
            return leaf(text, token, context)
        case WrittenAny(parts):
            return combined(Or, [tree_of(text, part, context) for part in parts])
        case WrittenAll():
            return _all(text, written, context)
        case WrittenNot(sign, part):
            return negated(tree_of(text, part, context), sign.start)
        case WrittenField(field, part):
            return tree_of(text, part, context.in_field(name_of(field)))
        case WrittenValues():
            return combined(Or, list(values_of(text, written)))
        case WrittenNear():
            return _near(text, written, context)


def _all(text: str, written: WrittenAll, context: TermContext) -> Node:
    if not written.options:
        return combined(And, [tree_of(text, part, context) for part in written.parts])
    inner = context_with(text, context, written.options)
    parts = [tree_of(text, part, inner) for part in written.parts]
    for option in written.options:
        about = (Term, Near) if option.values.name == "exact" else (Term, Near, Pattern)
        if not any(_has(part, about) for part in parts):
            start = (option.minus or option.values.field).start
            hint = (
                "Write it beside a word, a phrase or a regular expression; fields such as domain: have no such options."
            )
            raise error_at(text, start, f"{option.values.field.text} has no term to be about", hint)
    return combined(And, parts)


def _has(node: Node, kinds: tuple[type, ...]) -> bool:
    match node:
        case Not(part=part):
            return _has(part, kinds)
        case And(parts=parts) | Or(parts=parts):
            return any(_has(part, kinds) for part in parts)
        case _:
            return isinstance(node, kinds)


def _near(text: str, written: WrittenNear, context: TermContext) -> Near:
    left, right = (_operand(text, written, part, context) for part in (written.left, written.right))
    number = distance(text, written.sign.start, written.sign.text.partition("/")[2])
    if not any(set(one.where.fields) & set(other.where.fields) for one in left for other in right):
        hint = "Write both in one field: title:(a NEAR/5 b)."
        raise error_at(text, written.sign.start, "what is in different fields is never near", hint)
    return Near(left, right, number, f"{_written(left)} NEAR/{number} {_written(right)}")


def _operand(text: str, near: WrittenNear, written: WrittenNode, context: TermContext) -> tuple[Term, ...]:
    node = tree_of(text, written, context)
    terms = node.parts if isinstance(node, Or) else (node,)
    found = tuple(term for term in terms if isinstance(term, Term) and term.within is None)
    if len(found) < len(terms):
        raise _not_a_term(text, near, node)
    return found


def _not_a_term(text: str, near: WrittenNear, node: Node) -> QuerySyntaxError:
    sign = near.sign.text
    message = f"{sign} joins words and phrases, or choices of them"
    if isinstance(near.left, WrittenNot):
        return error_at(text, near.left.sign.start, message, f"Write brackets to exclude both: -(a {sign} b).")
    if isinstance(near.right, WrittenNot):
        hint = f"Write a -(a {sign} b) to exclude what has b near it."
        return error_at(text, near.right.sign.start, message, hint)
    hint = (
        f'Write a {sign} b, "a b" {sign} c, or a {sign} (b OR c), with OR between all that is in the brackets; '
        "join anything else with AND."
    )
    return error_at(text, near.sign.start, message, hint)


def _written(terms: tuple[Term, ...]) -> str:
    written = " OR ".join(map(str, terms))
    return written if len(terms) == 1 else f"({written})"
