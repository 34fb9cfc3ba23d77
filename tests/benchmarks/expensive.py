"""The most expensive queries that are accepted, found by trying: (queries, text) of each way to be expensive.

Each text has 40,000 characters, and is made for its queries: every word of theirs stands in it, and stands often.
"""

import random
from collections.abc import Callable

QUERIES = 400
CHARACTERS = 40_000
Case = tuple[list[str], str]

_CHARACTERS = [chr(0x4E00 + number) for number in range(200)]  # each is a word


def cases() -> dict[str, Case]:
    """By name. The chance is always the same."""
    chance = random.Random(2026)
    return {name: make(chance) for name, make in _CASES.items()}


def older() -> list[Case]:
    """What was accepted before words were limited, and is still matched."""
    tails = [f"x{number}" for number in range(QUERIES)]
    return [
        ([f'"{"c++ " * 400}" {tail}' for tail in tails], _text(lambda: "c++", tails)),
        (["天" * (1_590 + number) for number in range(QUERIES)], _text(lambda: "天", gap="")),
    ]


def _text(word: Callable[[], str], tail: list[str] | str = "", gap: str = " ") -> str:
    end = gap.join(tail)
    said: list[str] = []
    size = len(end)
    while size < CHARACTERS:
        said.append(word())
        size += len(said[-1]) + len(gap)
    return gap.join([*said, end])[-CHARACTERS:]


def _words(count: int, word: Callable[[], str]) -> str:
    return " ".join(word() for _ in range(count))


def _phrases(count: int, length: int, word: Callable[[], str], joined: str = " ") -> str:
    return joined.join(f'"{_words(length, word)}"' for _ in range(count))


def _repeated_words(chance: random.Random) -> Case:
    tails = [f"x{number}" for number in range(QUERIES)]
    return [f"{'a ' * 199}{tail}" for tail in tails], _text(lambda: "a", tails)


def _exclusions(chance: random.Random) -> Case:
    return ["a " + _words(199, lambda: f"-w{chance.randrange(10**6)}") for _ in range(QUERIES)], _text(lambda: "a")


def _nested(chance: random.Random) -> Case:
    def nest(depth: int, inside: str) -> str:
        return f"(({nest(depth - 1, inside)} -y{depth}) OR a{depth} OR b)" if depth else inside

    return [nest(24, f"c{number}") for number in range(QUERIES)], _text(lambda: chance.choice("bzy"))


def _long_phrases(chance: random.Random) -> Case:
    def word() -> str:
        return chance.choice("ab")

    return [_phrases(10, 20, word, " OR ") for _ in range(QUERIES)], _text(word)


def _pairs(chance: random.Random) -> Case:
    def word() -> str:
        return chance.choice("abcdefghijklmnopqrstuvwxyz")

    return [_phrases(100, 2, word) for _ in range(QUERIES)], _text(word)


def _symbols(chance: random.Random) -> Case:
    def word() -> str:
        return "c" + chance.choice(("", "+", "#", "++"))

    return [_phrases(10, 20, word, " OR ") for _ in range(QUERIES)], _text(word)


def _many_symbols(chance: random.Random) -> Case:
    def word() -> str:
        return "c" + "".join(chance.choices("+#", k=chance.randrange(9)))

    return ["c " + _words(199, lambda: f"-{word()}") for _ in range(QUERIES)], _text(word)


def _unspaced(length: int, count: int, alphabet: int, sign: str = "") -> Callable[[random.Random], Case]:
    """Words of so many characters of a script without spaces, all of them in the text."""

    def make(chance: random.Random) -> Case:
        def char() -> str:
            return chance.choice(_CHARACTERS[:alphabet])

        queries = [_words(count, lambda: sign.join(char() for _ in range(length))) for _ in range(QUERIES)]
        return queries, _text(lambda: char() + chance.choice(("", sign)), gap="")

    return make


def _windows(form: str) -> Callable[[random.Random], Case]:
    """Frequent words near each other, in paragraphs of ten words, and a last one that is never there."""

    def make(chance: random.Random) -> Case:
        def word() -> str:
            return chance.choice("abcdefgh")

        body = "\n\n".join(_words(10, word) for _ in range(CHARACTERS // 22))
        return [" ".join(form.format(*(word() for _ in range(19))) for _ in range(10)) for _ in range(QUERIES)], body

    return make


def _affixes(chance: random.Random) -> Case:
    """Beginnings and ends that thousands of different words have."""
    words = [f"aaa{number}zzz" for number in range(CHARACTERS // 12)]
    queries = [" ".join(["aaa*", "*zzz"] * 9 + [f"-aaa{number}*"]) for number in range(QUERIES)]
    return queries, " ".join(words)


def _joined(chance: random.Random) -> Case:
    """Each word may be read in four ways, and so may each word of the query."""

    def word() -> str:
        return "a" * chance.randrange(1, 5)

    return [_phrases(10, 20, word, " OR ") for _ in range(QUERIES)], _text(word, gap="-")


def _regexes(chance: random.Random) -> Case:
    """As much as a workspace may have of them; RE2 can remember the states of none."""
    expressions = [f"(?:a[ab]{{0,{200 - number}}}){{1,3}}c" for number in range(4)]
    return [f"/{regex}/" for regex in expressions], f"{_text(lambda: 'a', gap='')[:-2]}ca"


def _scanning_regexes(chance: random.Random) -> Case:
    """RE2 reads to the end of the text to find out where each of thousands of matches ends."""
    return [f"/(?s)[ab]*a[ab]{{{990 - number}}}c|ab/" for number in range(4)], _text(
        lambda: chance.choice("ab"), gap=""
    )


def _exact(chance: random.Random) -> Case:
    def word() -> str:
        return "".join(chance.choice(pair) for pair in ("aA", "bB", "cC", "dD"))

    return ["abcd " + _words(199, lambda: f"-=x{word()}") for _ in range(QUERIES)], _text(word)


def _hosts(chance: random.Random) -> Case:
    """Hosts that are not ASCII, and text that touches them."""
    queries = ["example " + _words(100, lambda: f"-domain:b{chance.randrange(9**5)}.com") for _ in range(QUERIES)]
    return queries, _text(lambda: f"東京a{chance.randrange(99)}.ß{chance.randrange(99)}.com例", ["example"])


def _domains(chance: random.Random) -> Case:
    names = [f"a{number}.example.com" for number in range(CHARACTERS // 20)]
    queries = ["example " + _words(100, lambda: f"-domain:b{chance.randrange(9**5)}.com") for _ in range(QUERIES)]
    return queries, " ".join(names)


_CASES: dict[str, Callable[[random.Random], Case]] = {
    "a word 200 times": _repeated_words,
    "199 exclusions": _exclusions,
    "24 brackets deep": _nested,
    "phrases of 20 words": _long_phrases,
    "phrases of 2 words": _pairs,
    "phrases with symbols": _symbols,
    "199 kinds of C++": _many_symbols,
    "windows": _windows('"{} {} {} {} {} {} {} {} {} {}"~49'),
    "neighbours": _windows('("{} {}" OR "{} {}") NEAR/50 "{} {}"'),
    "beginnings and ends": _affixes,
    "joined words": _joined,
    "regular expressions": _regexes,
    "expressions that match often": _scanning_regexes,
    "exact words": _exact,
    "domains": _domains,
    "hosts": _hosts,
    "1 character": _unspaced(1, 200, 200),
    "2 characters": _unspaced(2, 200, 40),
    "2 characters with symbols": _unspaced(2, 200, 5, "#"),
    "3 characters": _unspaced(3, 100, 10),
    "9 characters": _unspaced(9, 40, 2),
}
