"""The anchors of a query: the rarest word, or pair of words, without which it cannot hold.

The index checks a query only against items that contain one of its anchors, so their choice decides the speed: "linux
AND the" is indexed under linux. Frequencies are only compared with each other; a wrong guess costs time, never a match.
"""

from functools import cache
from itertools import pairwise

from overheard.matching.tree import And, Node, Not, Or, Term

Pair = tuple[str, str]
Anchor = str | Pair

# The most frequent words of English Reddit (counted over 53,000 posts and comments), most frequent first.
_COMMON = """
the i to a and of it in that for is you my this s on with have was but me be so not as are what he m if
just at we from do about or all they like your com http https www up can out an how would she get one
there some name her will dont time no when had has more know ve now been by any his people here them
really am him work want 2 who good r 1 their new think because re other only first make go our much then
could after should see way 3 into also got back going than even d over reddit which were help need very
edit thanks use well still day why did something love years ll right year too off us post being things
didnt made where most never before feel 5 few job down cant best take these gt last great find game does
while amp sure every said anyone two lot using 4 comments thing around doing little someone say through
linux better anything 0 many same thank let doesnt looking those since its look pretty getting 10 part
working thought free start guys old life long google again trying money everyone found home ever always
try actually told business please guy started give another today keep week put next bad school own
everything tell months de la que el en y un una los por con para le les des et der die das und ist nicht
het een van
"""


def anchors(node: Node) -> tuple[Anchor, ...]:
    """Return words and pairs of which every text that the query matches contains one; () if there are none."""
    best = _required(node, True)
    # Without repeats: the index removes each anchor once, and would not find it a second time.
    return tuple(dict.fromkeys(best[1])) if best else ()


def _required(node: Node, wanted: bool) -> tuple[float, list[Anchor]] | None:
    """Return (frequency, anchors) of what a text must contain for the node to hold (not wanted: to fail), or None."""
    match node:
        case Term(words=words):
            if not wanted:
                return None
            frequency, anchor = _rarest(words)
            return frequency, [anchor]
        case Not(part=part):
            return _required(part, not wanted)
        case And(parts=parts) | Or(parts=parts):
            of_parts = [_required(part, wanted) for part in parts]
            required = [one for one in of_parts if one]
            # NOT (a OR b) is (NOT a) AND (NOT b): under a NOT the two swap their roles.
            if isinstance(node, And) is wanted:
                return min(required, key=lambda one: one[0], default=None)
            if len(required) < len(of_parts):
                return None  # one alternative requires no word
            return sum(frequency for frequency, _ in required), [
                anchor for _, of_part in required for anchor in of_part
            ]


def _rarest(words: tuple[str, ...]) -> tuple[float, Anchor]:
    """Return the rarest word, or for a phrase its rarest pair, with the frequency."""
    if len(words) == 1:
        return _frequency(words[0]), words[0]
    # A pair is far rarer than a word, above all in scripts where every character is a word. The factor allows for words
    # of a phrase being side by side more often than by chance: guessed, not measured.
    return min((_frequency(one) * _frequency(two) * 5, (one, two)) for one, two in pairwise(words))


def _frequency(word: str) -> float:
    """Return a guess of the share of texts that contain a word: common words by rank, others by length."""
    rank = _ranks().get(word)
    # Any other word is rarer than the last of the list (0.019), and the longer the rarer. Guessed, not measured.
    return 0.5 / (1 + rank / 10) if rank is not None else 0.01 / len(word)


@cache
def _ranks() -> dict[str, int]:
    return {word: rank for rank, word in enumerate(_COMMON.split())}
