"""What a word is, when two spellings are the same, and that spans refer to the original text."""

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overheard.matching.text import affixes, fold, spans, words

# Texts that mix what folding and splitting treat specially, beside any text at all.
_PIECES = (
    "a|N|n't|N’T|’|'|ʼ|İ|I|ı|i\u0307|ß|ẞ|ﬁ|é|e\u0301|½|ｶﾞ|が|東京|น้ำ|ไทย|한|한국|हिन्दी|Σ|ς|ﷺ|1|²|٣|Ａ|＃"
    "| |-|_|.|#|@|++|\\|😂|™|\n|\u0301|\u00ad|\u200d|\u200b|\ufe0f|\ud800"
)
SPECIAL = st.lists(st.sampled_from(_PIECES.split("|")), max_size=25).map("".join)
TEXT = st.one_of(st.text(), SPECIAL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I love ACME, really!", ["i", "love", "acme", "really"]),
        ("foo-bar foo_bar foo/bar foo\\_bar", ["foo", "bar"] * 4),
        ("_emphasis_ **bold** ~~gone~~", ["emphasis", "bold", "gone"]),
        ("node.js at https://acme.com/x?y=z", ["node", "js", "at", "https", "acme", "com", "x", "y", "z"]),
        ("me@acme.io u/some_one", ["me", "acme", "io", "u", "some", "one"]),
        ("Acme's l’oréal O'Reilly", ["acme", "s", "l", "oréal", "o", "reilly"]),
        ("don't DON’T won‘t can't've", ["dont", "dont", "wont", "cant", "ve"]),
        ("rock'n'roll n't 'tis n'est", ["rock", "n", "roll", "nt", "tis", "n", "est"]),
        ("n'tn't N’tn’T", ["ntnt", "ntnt"]),
        ("C++ C# .NET 4.5", ["c", "c", "net", "4", "5"]),
        ("Acme™ Acme® Acme… 😂acme❤️", ["acme", "acme", "acme", "acme"]),
        ("ａｃｍｅ ﬁne Straße STRASSE ẞ", ["acme", "fine", "strasse", "strasse", "ss"]),
        ("ΟΔΟΣ οδός", ["οδοσ", "οδόσ"]),
        ("İstanbul ISTANBUL ıstanbul istanbul", ["istanbul"] * 4),
        ("İ\u0301 í", ["í", "í"]),
        ("cafe\u0301 café cafe", ["café", "café", "cafe"]),
        ("ac\u00adme ac\u200dme acme\ufe0f", ["acme", "acme", "acme"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("п'ять пʼять п’ять", ["п", "ять"] * 3),
        ("東京タワーTokyo", ["東", "京", "タ", "ワ", "ー", "tokyo"]),
        ("ｶﾞ ガ カ\u3099", ["ガ", "ガ", "ガ"]),
        ("한국어 " + unicodedata.normalize("NFD", "한국어"), ["한", "국", "어"] * 2),
        ("ที่ที", ["ที่", "ที"]),
        ("ក្រុង", ["ក្", "រុ", "ង"]),
        ("iPhone15 第5回", ["iphone15", "第", "5", "回"]),
        ("CO₂ x²", ["co2", "x2"]),
        ("... !!! — 😂 \ufe0f", []),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("C++ rocks", "C", ("", "++")),
        ("(C#)", "C", ("", "#")),
        (r"C\+\+", "C", ("", "++")),
        ("Ｃ＃", "Ｃ", ("", "#")),
        ("use .NET", "NET", (".", "")),
        ("C#.NET", "NET", (".", "")),
        ("slashdot.net", "net", ("", "")),
        ("wait...what", "what", ("", "")),
        (r"\#tag", "tag", ("#", "")),
        ("page#part", "part", ("", "")),
        ("me@acme", "acme", ("", "")),
        ("$TSLA", "TSLA", ("$", "")),
        ("@me", "me", ("@", "")),
    ],
)
def test_affixes_of_a_word(text: str, word: str, expected: tuple[str, str]) -> None:
    start = text.index(word)
    assert affixes(text, (start, start + len(word))) == expected


@given(TEXT)
@example("n'tn't")
def test_each_word_is_the_folded_text_of_its_span(text: str) -> None:
    """words() and spans() choose their fast paths by the text; the results must agree."""
    assert words(text) == [fold(text[start:end]) for start, end in spans(text)]


@given(TEXT)
def test_ascii_words_are_the_same_beside_other_scripts(text: str) -> None:
    """One character of another script selects the pattern for all scripts: it must not change the other words."""
    plain = text.encode("ascii", "ignore").decode()
    assert words(f"{plain} Ж") == [*words(plain), "ж"]


@given(TEXT)
def test_spans_are_ordered_disjoint_and_cover_all_letters(text: str) -> None:
    places = spans(text)
    assert all(start < end for start, end in places)
    assert all(one[1] <= two[0] for one, two in pairwise(places))
    inside = {at for start, end in places for at in range(start, end)}
    missed = {char for at, char in enumerate(text) if char.isalnum() and at not in inside}
    assert missed <= {"\u02bb", "\u02bc"}


@given(TEXT)
def test_no_word_is_empty_or_contains_punctuation(text: str) -> None:
    for word in words(text):
        assert word
        assert all(char.isalnum() or unicodedata.category(char)[0] == "M" for char in word)


@given(SPECIAL)
def test_case_and_composition_do_not_matter(text: str) -> None:
    read = words(text)
    assert words(unicodedata.normalize("NFC", text)) == read
    assert words(unicodedata.normalize("NFD", text)) == read
    assert [fold(word) for word in read] == read


def test_every_letter_of_unicode_is_a_word_in_either_case() -> None:
    for code in range(sys.maxunicode):
        char = chr(code)
        if char.isalpha() and char not in "\u02bb\u02bc":
            assert len(words(char)) == 1, f"U+{code:04X}"
            assert fold(char.upper()) == fold(char), f"U+{code:04X}"
            assert fold(char.lower()) == fold(char), f"U+{code:04X}"
