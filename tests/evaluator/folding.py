"""Characters: which belong to a word, which are not there, and which are the same."""

from __future__ import annotations

import unicodedata

from tests.evaluator.masking import IGNORED

APOSTROPHES = "'\u2019\u2018\u02bc\u02bb\uff07"
HYPHENS = "-\u2010\u2011"
# In Latin writing, characters of their own that no decomposition leads back to the plain one.
PLAIN_LATIN = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"}
ARABIC = dict.fromkeys("أإآٱ", "ا") | {"ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه"}


def is_invisible(char: str) -> bool:
    """Return True for characters that do not show: soft hyphen, joiners, directions, variation selectors."""
    code = ord(char)
    return (
        code in (0x00AD, 0x034F, 0x061C, 0xFEFF)
        or 0x180B <= code <= 0x180F
        or 0x200B <= code <= 0x200F
        or 0x202A <= code <= 0x202E
        or 0x2060 <= code <= 0x2064
        or 0xFE00 <= code <= 0xFE0F
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones
        or 0xE0100 <= code <= 0xE01EF
    )


def is_there(char: str) -> bool:
    return char != IGNORED and not is_invisible(char)


def is_flag_half(char: str) -> bool:
    return 0x1F1E6 <= ord(char) <= 0x1F1FF


def is_emoji(char: str) -> bool:
    code = ord(char)
    return (
        0x1F000 <= code <= 0x1FAFF
        or 0x2600 <= code <= 0x27BF
        or code in (0x2B50, 0x2B55, 0x231A, 0x231B, 0x2328, 0x23CF)
        or 0x23E9 <= code <= 0x23F3
        or 0x23F8 <= code <= 0x23FA
    )


def is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Mc")


def is_alphanumeric(char: str) -> bool:
    """Return True for alphabetic characters and digits of any script."""
    return char.isalnum() and char not in APOSTROPHES and not is_emoji(char)


def is_unspaced(char: str) -> bool:
    """Return True for characters of the scripts that put no space between words."""
    code = ord(char)
    return (
        0x0E00 <= code <= 0x0E4F
        or 0x0E80 <= code <= 0x0ECF  # Thai, Lao
        or 0x1000 <= code <= 0x103F  # Myanmar
        or 0x1780 <= code <= 0x17DF  # Khmer
        or 0x1100 <= code <= 0x11FF
        or 0xAC00 <= code <= 0xD7FF  # Hangul
        or 0x3005 <= code <= 0x3007
        or 0x3040 <= code <= 0x30FF  # kana
        or 0x3100 <= code <= 0x312F  # Bopomofo
        or 0x3400 <= code <= 0x9FFF  # Han
        or 0x20000 <= code <= 0x3FFFF
    )


def fold(word: str) -> str:
    """Return what is compared: without case, width, accents and marks that writers leave out."""
    bare = ""
    for char in unicodedata.normalize("NFD", fold_case(word)):
        if char in "\u0640\u0670" or 0x064B <= ord(char) <= 0x0652 or 0x0656 <= ord(char) <= 0x065F:
            continue  # tatweel, harakat; not the hamza, which makes another character of what it stands on
        if 0x0591 <= ord(char) <= 0x05C7:  # niqqud
            continue
        if unicodedata.category(char) == "Mn" and bare and is_latin_or_greek(base_of(bare)):
            continue
        if char == "\u0308" and bare and bare[-1] == "е":  # ё
            continue
        bare += PLAIN_LATIN.get(char, char)
    bare = unicodedata.normalize("NFC", bare)
    return "".join(ARABIC.get(char, char) for char in bare)


def fold_case(word: str) -> str:
    """Return a word without case and width, but with its accents."""
    seen = "".join(char for char in word if is_there(char) and char not in APOSTROPHES)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    # Compatibility forms may contain signs: ½ is 1⁄2.
    folded = "".join(char for char in folded if char.isalnum() or is_mark(char) or is_emoji(char))
    turkish = folded.replace("i\u0307", "i").replace("ı", "i")
    return turkish.replace("ς", "σ")


def base_of(text: str) -> str:
    """Return the last character of a text, without the marks on it."""
    for char in reversed(text):
        if not is_mark(char):
            return char
    return ""


def is_latin_or_greek(char: str) -> bool:
    return char != "" and unicodedata.name(char, "").startswith(("LATIN", "GREEK"))
