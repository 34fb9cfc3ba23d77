"""The shortcut for plain words and phrases gives what the grammar gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overheard.matching.language import QuerySyntaxError, parse_stored
from overheard.matching.language.grammar import read
from overheard.matching.language.plain_query import plain_term
from overheard.matching.language.term_context import DEFAULT_CONTEXT, TermContext
from overheard.matching.language.tokens import tokenize
from overheard.matching.language.tree_builder import tree_of
from overheard.matching.tree import Node

_ALNUM = st.text(
    st.sampled_from("abZ09éßıİǅ½東京ไห한ａ²٣") | st.characters(categories=["L", "N"]), min_size=1, max_size=8
)
_PLAIN = st.one_of(
    _ALNUM,
    st.from_regex("[A-Za-z0-9]{1,8}", fullmatch=True),
    st.sampled_from(["AND", "OR", "NOT", "and", "NEAR", '"AND"']),
    st.lists(_ALNUM | st.from_regex("[A-Z]{1,3}", fullmatch=True), min_size=1, max_size=3).map(
        lambda one: f'"{" ".join(one)}"'
    ),
)


@given(_PLAIN)
def test_the_shortcut_for_plain_words_agrees_with_the_grammar(text: str) -> None:
    """The shortcut and the grammar give the same tree, printed in the same way, or the same refusal."""
    scope = TermContext()  # equal to the default, but another object: the shortcut is not taken
    assert scope == DEFAULT_CONTEXT

    def result(node: Node) -> tuple[Node, str]:
        return node, str(node)

    try:
        expected = result(tree_of(text, read(text, tokenize(text)), scope))
    except QuerySyntaxError:
        assert plain_term(text) is None
        return
    assert result(parse_stored(text)[0]) == expected
    assert (term := plain_term(text)) is None or result(term) == expected
