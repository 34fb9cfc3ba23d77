"""What a word is, when two spellings are the same, and that spans refer to the original text."""

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overheard.matching.text.folding import fold, fold_keeping_accents
from overheard.matching.text.scripts import emoji, visible
from overheard.matching.text.symbols import symbols_of, widened
from overheard.matching.text.words import read, spans, word_count

# Texts that mix what folding and splitting treat specially, beside any text at all.
_PIECES = (
    "a|N|n't|N’T|’|'|ʼ|İ|I|ı|i\u0307|ß|ẞ|ﬁ|é|e\u0301|ø|Æ|½|ｶﾞ|が|東京|น้ำ|ไทย|한|한국|हिन्दी|Σ|ς|ώ|й|ё|ﷺ|1|000|²|٣|Ａ|＃|v2"
    "|كِتَــاب|أ|ا\u0654|\u064e|שָׁ|ـ"
    "| |-|‑|_|.|,|#|@|++|%|\\|\n"
    "|😂|👩\u200d💻|👍🏽|🏽|🇩|🇪|❤\ufe0f|1\ufe0f\u20e3|🄁|❶|™|\u0301|\u00ad|\u200d|\u200b|\ufe0f"
    "|\ud800|\x00|\x01|\x1e"
)
SPECIAL = st.lists(st.sampled_from(_PIECES.split("|")), max_size=25).map("".join)
TEXT = st.one_of(st.text(), SPECIAL)


def words(text: str) -> list[str]:
    return read(text)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I love ACME, really!", ["i", "love", "acme", "really"]),
        ("foo-bar foo_bar foo/bar foo\\_bar", ["foo", "bar"] * 4),
        ("_emphasis_ **bold** ~~gone~~", ["emphasis", "bold", "gone"]),
        ("node.js at https://acme.com/x?y=z", ["node", "js", "at", "https", "acme", "com", "x", "y", "z"]),
        ("me@acme.io u/some_one", ["me", "acme", "io", "u", "some", "one"]),
        ("Acme's l’oréal O'Reilly O´Reilly", ["acme", "s", "l", "oreal", "o", "reilly", "o", "reilly"]),
        ("don't DON’T won‘t can't've don´t", ["dont", "dont", "wont", "cant", "ve", "dont"]),
        ("rock'n'roll n't 'tis n'est", ["rock", "n", "roll", "nt", "tis", "n", "est"]),
        ("n'tn't N’tn’T", ["ntnt", "ntnt"]),
        ("C++ C# .NET 4.5 100%", ["c", "c", "net", "4", "5", "100"]),
        ("Acme™ Acme® Acme… ©acme", ["acme", "acme", "acme", "acme"]),
        ("ａｃｍｅ ﬁne Straße STRASSE ẞ", ["acme", "fine", "strasse", "strasse", "ss"]),
        ("İstanbul ISTANBUL ıstanbul istanbul", ["istanbul"] * 4),
        ("ac\u00adme ac\u200dme acme\ufe0f ac\u200bme ac\u2066me ac\x01\x01me", ["acme"] * 6),
        ("do\x01n\x01'\x01t", ["dont"]),
        ("one\x1etwo\x00three", ["one", "two", "three"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("п'ять пʼять п’ять", ["п", "ять"] * 3),
        ("東京タワーTokyo", ["東", "京", "タ", "ワ", "ー", "tokyo"]),
        ("ｶﾞ ガ カ\u3099", ["ガ", "ガ", "ガ"]),
        ("한국어 " + unicodedata.normalize("NFD", "한국어"), ["한", "국", "어"] * 2),
        ("ที่ที", ["ที่", "ที"]),
        ("ក្រុង", ["ក្", "រុ", "ង"]),
        ("iPhone15 第5回", ["iphone15", "第", "5", "回"]),
        ("CO₂ x²", ["co2", "x2"]),
        ("... !!! — \ufe0f 🏽", []),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafe\u0301 café CAFÉ cafe", ["cafe"] * 4),
        ("Pokémon naïve Zürich señor Łódź Ångström", ["pokemon", "naive", "zurich", "senor", "lodz", "angstrom"]),
        (
            "Ørsted Đorđe Ħal ŧ Æsop œuvre Guðrún Þór",
            ["orsted", "dorde", "hal", "t", "aesop", "oeuvre", "gudrun", "thor"],
        ),
        ("Nguyễn Việt phở ƯƠ", ["nguyen", "viet", "pho", "uo"]),
        ("İ\u0301 í", ["i", "i"]),
        ("z̸a̶l\u0336g\u0489o", ["zalg", "o"]),
        ("ΟΔΟΣ οδός Ωμέγα ΩΜΕΓΑ ΐ ᾧ", ["οδοσ", "οδοσ", "ωμεγα", "ωμεγα", "ι", "ωι"]),
        ("мой мои Ёлка елка ї і", ["мой", "мои", "елка", "елка", "ї", "і"]),
        ("كِتَاب كـتـاب كتاب", ["كتاب"] * 3),
        ("أحمد إسلام آمن ٱلله ا\u0654", ["احمد", "اسلام", "امن", "الله", "ا"]),
        ("مؤمن رئيس", ["مؤمن", "رئيس"]),
        ("שָׁלוֹם שלום", ["שלום", "שלום"]),
        ("が か", ["が", "か"]),
    ],
)
def test_accents_and_marks(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("🚀🚀 to the🌕", ["🚀", "🚀", "to", "the", "🌕"]),
        ("👩\u200d💻", ["👩", "💻"]),
        ("👍🏽 👍", ["👍", "👍"]),
        ("❤️ ❤ ⭐ ⌚ ⏰ ✨ ✅ ☕ ⚡", ["❤", "❤", "⭐", "⌚", "⏰", "✨", "✅", "☕", "⚡"]),
        ("🇩🇪🇫🇷 🇩", ["🇩🇪", "🇫🇷", "🇩"]),
        ("1️⃣2️⃣ #️⃣", ["1", "2"]),
        ("🏴\U000e0067\U000e0062\U000e007f", ["🏴"]),
        ("😂acme❤️", ["😂", "acme", "❤"]),
        ("C♯ ❝acme❞ ❨x❩", ["c", "♯", "acme", "x"]),
        ("❶Acme 🄁", ["❶", "acme", "🄁"]),
    ],
)
def test_each_emoji_is_a_word(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        ("a", ["", ""]),
        ("C++, and\nDON'T!", ["", "++, ", "\n", "!"]),
        ("\x01\x01Ac\x01\x01me\x01.\x1e", ["", ".\x1e"]),
        ("l’a\u200b \u200bb", ["", "’", " ", ""]),
        ("👩\u200d💻東京", ["", "", "", "", ""]),
    ],
)
def test_separators_are_what_stands_between_the_words(text: str, expected: list[str]) -> None:
    assert read(text)[1] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ac\x01\x01me\x01", [(0, 6)]),
        ("\x01\x01Don\x01't", [(2, 8)]),
        ("ac\u200bme ac", [(0, 5), (6, 8)]),
        ("👍🏽👍 ❤️.", [(0, 2), (2, 3), (4, 6)]),
        ("🏴\U000e0067\U000e007f!", [(0, 3)]),
        ("é e\u0301", [(0, 1), (2, 4)]),
    ],
)
def test_spans_are_positions_of_the_masked_text(text: str, expected: list[tuple[int, int]]) -> None:
    assert spans(text) == expected


@pytest.mark.parametrize(
    ("text", "word", "expected", "highlighted"),
    [
        ("C++ rocks", "C", ("", "++"), "C++"),
        ("(C#)", "C", ("", "#"), "C#"),
        (r"C\+\+", "C", ("", "++"), r"C\+\+"),
        ("C\x01+\x01+", "C", ("", "++"), "C\x01+\x01+"),
        ("Ｃ＃", "Ｃ", ("", "#"), "Ｃ＃"),
        ("100% sure", "100", ("", "%"), "100%"),
        ("50%+", "50", ("", "%"), "50%"),
        ("100 %", "100", ("", ""), "100"),
        ("use .NET", "NET", (".", ""), ".NET"),
        ("C#.NET", "NET", (".", ""), ".NET"),
        ("slashdot.net", "net", ("", ""), "net"),
        ("wait...what", "what", ("", ""), "what"),
        (r"\#tag", "tag", ("#", ""), "#tag"),
        ("#\x01\x01tag\x01", "tag", ("#", ""), "#\x01\x01tag"),
        ("\u200b#tag", "tag", ("#", ""), "#tag"),
        ("page#part", "part", ("", ""), "part"),
        ("x_#part", "part", ("", ""), "part"),
        ("me@acme", "acme", ("", ""), "acme"),
        ("में@acme", "acme", ("", ""), "acme"),
        ("🔥@acme", "acme", ("@", ""), "@acme"),
        ("$TSLA", "TSLA", ("$", ""), "$TSLA"),
        ("@me", "me", ("@", ""), "@me"),
    ],
)
def test_symbols_of_a_word(text: str, word: str, expected: tuple[str, str], highlighted: str) -> None:
    found, separators = read(text)
    at = found.index(fold(word))
    assert symbols_of(separators[at], separators[at + 1], found[at - 1] if at else "") == expected
    start, end = widened(text, spans(text)[at], *expected)
    assert text[start:end] == highlighted


def test_case_alone_does_not_count_where_accents_do() -> None:
    assert fold_keeping_accents("CAFE\u0301") == fold_keeping_accents("ｃａｆé") == "café"
    assert fold_keeping_accents("Straße") == fold_keeping_accents("STRASSE") == "strasse"
    assert fold_keeping_accents("İSTANBUL") == fold_keeping_accents("ıstanbul") == "istanbul"
    assert fold_keeping_accents("DON’T") == "dont"
    assert fold_keeping_accents("café") != fold_keeping_accents("cafe")


def test_two_characters_without_spaces_count_as_one_word() -> None:
    assert word_count(words("東京タ acme")) == 3


@given(TEXT)
@example("n'tn't")
@example("ـ\ufe00")
def test_each_word_is_the_folded_text_of_its_span(text: str) -> None:
    """read() and spans() choose their fast paths by the text; the results must agree."""
    assert words(text) == [fold(text[start:end]) for start, end in spans(text)]


@given(TEXT)
def test_words_and_separators_make_up_the_visible_text(text: str) -> None:
    found, separators = read(text)
    assert len(separators) == len(found) + 1
    assert all(visible(separator) == separator for separator in separators)
    places = spans(text)
    borders = [0, *(at for span in places for at in span), len(text)]
    between = [text[borders[at] : borders[at + 1]] for at in range(0, len(borders), 2)]
    assert separators == list(map(visible, between))


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
        assert emoji().fullmatch(word) or all(char.isalnum() or unicodedata.category(char)[0] == "M" for char in word)


@given(TEXT)
def test_invisible_characters_change_nothing(text: str) -> None:
    assert read("\u200b".join(text)) == read("\x01".join(text)) == read(text)


@given(SPECIAL)
def test_case_and_composition_do_not_matter(text: str) -> None:
    found = words(text)
    assert words(unicodedata.normalize("NFC", text)) == found
    assert words(unicodedata.normalize("NFD", text)) == found
    assert [fold(word) for word in found] == found


@pytest.mark.thorough
def test_every_letter_of_unicode_is_a_word_in_either_case() -> None:
    for code in range(sys.maxunicode):
        char = chr(code)
        if char.isalpha() and char not in "\u02bb\u02bc":
            assert len(words(char)) == 1, f"U+{code:04X}"
            assert fold(char.upper()) == fold(char), f"U+{code:04X}"
            assert fold(char.lower()) == fold(char), f"U+{code:04X}"
            assert fold(fold(char)) == fold(char), f"U+{code:04X}"
