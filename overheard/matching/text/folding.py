"""Folding: two spellings are the same word if their folded forms are equal (words.py shows it by example)."""

import re
import unicodedata

from overheard.matching.text.memory import remembered
from overheard.matching.text.scripts import APOSTROPHES, INVISIBLE, emoji

_DROPPED = re.compile(f"[{INVISIBLE}{APOSTROPHES}]+")

# Decomposed, an accent follows its base character. Not in other scripts: й is not и, and が is not か.
_ACCENTED = re.compile(
    "([0-9a-z\u00df-\u02af\u1d00-\u1dbf\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua7ff\uab30-\uab6f"  # Latin, and digits
    "\u0370-\u03ff\u1f00-\u1fff])"  # Greek
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f]+"
)
_POINTS = re.compile(
    "[\u0610-\u061a\u0640\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08d3-\u08ff"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]+"  # tatweel and harakat of Arabic, niqqud of Hebrew
)
_ALEF = re.compile("[\u0627\u0671][\u0653-\u0655]*")
# Forms of one letter: at the end of words, and on Arabic, Persian and Urdu keyboards.
_ARABIC_FORMS = str.maketrans("ىیکة", "ييكه")
_IO = re.compile("\u0435\u0308+")  # ё, which people write with or without its dots
# What has no decomposition.
_PLAIN_LETTERS = str.maketrans(
    dict(zip("øłđħŧƀɨɉƶɍɏȼɇⱥⱦʉǥð", "oldhtbijzryceatugd", strict=True)) | {"æ": "ae", "œ": "oe", "þ": "th"}
)


def fold(word: str) -> str:
    """Return a word in the form in which words are compared. Never empty for a word of a text."""
    if word.isascii() and word.isalnum():
        return word.lower()
    visible = _DROPPED.sub("", word)
    if emoji().fullmatch(visible):
        return visible
    kept = _without_case(visible)
    # Not empty: the empty word is a gap between two texts.
    return _DROPPED.sub("", _without_accents(kept)) or visible or word


fold_cached = remembered(16_384)(fold)  # chosen, not measured


def fold_keeping_accents(word: str) -> str:
    """Return a word in the form in which words are compared where accents count."""
    visible = _DROPPED.sub("", word)
    return _without_case(visible) or visible


def _without_case(visible: str) -> str:
    caseless = unicodedata.normalize("NFKC", visible).casefold()
    # Casefolding leaves İ as i with a combining dot, and ı as it is. It can also undo the composition: NFKC again.
    folded = unicodedata.normalize("NFKC", caseless.replace("i\u0307", "i").replace("ı", "i"))
    # Some compatibility forms expand to punctuation or spaces: ½ is 1⁄2, ⑴ is (1).
    return "".join(char for char in folded if char.isalnum() or unicodedata.category(char)[0] == "M")


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFD", word).translate(_PLAIN_LETTERS)
    # The points first: decomposed, some of them would stand between an accent and its base.
    decomposed = _ACCENTED.sub(r"\1", _POINTS.sub("", decomposed))
    decomposed = _IO.sub("\u0435", _ALEF.sub("\u0627", decomposed)).translate(_ARABIC_FORMS)
    return unicodedata.normalize("NFC", decomposed)
