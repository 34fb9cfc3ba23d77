"""Random items that are likely to match: few words, in many spellings, inside Markdown that all dialects share."""

from __future__ import annotations

from random import Random

from overheard.items import Item

# Spellings that a rule makes equal, or keeps apart.
FAMILIES = tuple(
    tuple(family.split())
    for family in (
        "acme Acme ACME Acme's acme's @acme #acme ac\u00adme acme.io",
        "acme acme.com www.acme.com me@acme.com evil-acme.com acme.com.evil.org acme.io acme com io",
        "acme acme[.]com acme(.)com acme[dot]com acme.com com",
        "the a b is rust Rust db c d",
        "rust Rust limit rate db the acme",
        "monitor monitoring Monitors optimize optimizer mysql sql PostgreSQL",
        "next js next.js node.js nodejs Node.JS node",
        "AT&T at t AT",
        "3.11 2.3.11 3.11.2 1,003.11 3:11 3 11 v3.11",
        "wi-fi wifi Wi-Fi wi fi wi\u2010fi Wifi wi\u200bfi free",
        "O'Reilly oreilly O’Reilly o reilly I'm im i m don't don’t dont",
        "U.S. u.s. US us Us U.S.A. usa u s",
        "1,000 1000 1'000 1,000,000 1000000 1 000",
        "v2.0 2.0 v2 2 0 v2.0.1",
        "pokémon pokemon POKÉMON poke\u0301mon Pokemon ñ n",
        "كِتَاب كتاب أحمد احمد كتـاب",
        "שָׁלוֹם שלום ΟΔΟΣ οδός οδος",
        "東京 京 東 大東京都",
        "東京 acme.com acme.comを 新しいacme.ioの www.acme.com",
        "علي على علی عليه علية كتاب کتاب",
        "🚀 👩\u200d💻 👩 💻 ❤\ufe0f ❤ 🇩🇪 👍🏽 👍",
        "C++ C# C c .net .NET net",
        "#tag tag $TSLA tsla 100% 100 5% 2.5% C++",
        "foo::bar foo_bar foo-bar foo bar foobar foo/bar r/python python r",
        "Straße STRASSE strasse ё е Ё",
        "e-mail email E-Mail mail e",
    )
)
ADDRESSES = (
    "https://acme.io/next.js",
    "https://www.acme.com/db?x=wi-fi#tag",
    "http://evil-acme.com/rust",
    "https://acme.com.evil.org/",
    "https://github.com/acme/foo_bar",
    "https://acme.io/?q=caf%C3%A9%20wi-fi%2Frust%E9",
    "www.acme.com/rust_db",
    "https://ACME.com",
)
SPACED = (" ", " ", " ", " ", " ", "\n", ", ", "! ", ": ", " - ", " & ", " — ", "&nbsp;", ' "', "; ")
TIGHT = ("/", "-", "\u2010", "_", ".", "'", "’", ",", ":", "::", "--", "…", "\u200b", "+", "@", "")
ENTITIES = {"&": "&amp;", "’": "&#8217;", "'": "&#x27;", "é": "&eacute;", "#": "&#35;"}
ESCAPED = "#_*.-+'&"

Vocabulary = tuple[str, ...]


def vocabulary(chance: Random) -> Vocabulary:
    """Return the words of one to three families."""
    families = chance.sample(FAMILIES, chance.randint(1, 3))
    return tuple(dict.fromkeys(word for family in families for word in family))


def marked_word(chance: Random, words: Vocabulary) -> str:
    """Return a word with or without markup, which white space must surround where there is any."""
    word = chance.choice(words)
    if "[" in word or "www." in word:
        return word
    kind = chance.randint(0, 30)
    if kind < 3 and len(word) > 2 and word.isalnum() and word.isascii():
        cut = chance.randint(1, len(word) - 1)
        return chance.choice(("**{}**{}", "{}**{}**", "*{}*{}", "<b>{}</b>{}")).format(word[:cut], word[cut:])
    if kind == 3:
        return "".join(f"\\{char}" if char in ESCAPED else char for char in word)
    if kind == 4:
        return "".join(ENTITIES.get(char, char) for char in word)
    if kind < 8:
        return chance.choice(("*{}*", "**{}**", "_{}_", "~~{}~~", "`{}`", ">!{}!<", "<i>{}</i>")).format(word)
    if kind < 11:
        return f"[{word}]({chance.choice(ADDRESSES)})"
    if kind == 11:
        return chance.choice(("{}", "{}", "<{}>")).format(chance.choice(ADDRESSES[:5]))
    if kind == 12:
        other = chance.choice([word for word in words if "[" not in word])
        return chance.choice(("**{} {}**", "*{} {}*", "[{} {}](https://acme.io)", ">!{} {}!<")).format(word, other)
    return word


def line(chance: Random, words: Vocabulary, least: int = 0, most: int = 7, newlines: bool = False) -> str:
    """Return words with something between them; ``newlines``: also the end of a line."""
    text = ""
    plain = True
    for number in range(chance.randint(least, most)):
        word = marked_word(chance, words)
        now_plain = word in words
        separator = chance.choice(SPACED if chance.random() < 0.8 else TIGHT) if number else ""
        if number and not (plain and now_plain and separator_fits(text, separator, word)):
            separator = " "
        if separator == "\n" and not newlines:
            separator = " "
        text += separator + word
        plain = now_plain
    # 2. would be the first item of a list.
    return text + chance.choice(("", "", ".", "!")) if text[-1:].isalpha() and plain else text


def separator_fits(text: str, separator: str, word: str) -> bool:
    """Return False where a sign without white space beside it would be read in several ways."""
    last = text.split()[-1] if text else ""
    if "www." in last or "www." in word:
        return separator in (" ", "\n")
    # Dialects differ on whether a host may contain it.
    if separator == "_" and ("." in last or "com" in last + word):
        return False
    return separator in SPACED or (text[-1].isalnum() and word[0].isalnum())


def block(chance: Random, words: Vocabulary) -> str:
    """Return a paragraph, a list, a quote, a heading, a table or code."""
    kind = chance.randint(0, 12)
    if kind < 7:
        return line(chance, words, newlines=True)
    one, two, three, four = (line(chance, words, 1, 3) for _ in range(4))
    if kind == 7:
        mark = chance.choice(("- ", "* ", "1. "))
        return f"{mark}{one}\n{mark}{two}\n  {three}"
    if kind == 8:
        return f"> {one}\n> {two}\n\n{three}"
    if kind == 9:
        return f"## {one}\n{two}"
    if kind == 10:
        return f"{one} | {two}\n---|---\n{three} | {four}"
    if kind == 11:
        return f"```\n{chance.choice(words)} {chance.choice(words)}\n{chance.choice(words)}\n```\n{one}"
    frames = ("<p>{}</p><p>{}</p>", "{}<br>{}", "{}<br><br>{}", "<ul><li>{}</li><li>{}</li></ul>")
    return chance.choice(frames).format(one, two)


def body(chance: Random, words: Vocabulary) -> str:
    return "\n\n".join(block(chance, words) for _ in range(chance.randint(0, 4)))


def further_texts(chance: Random, words: Vocabulary) -> dict[str, str]:
    """Return texts beside title and body, some of them not searched."""
    names = chance.sample(("crosspost", "caption", "poll", "flair", "tags"), chance.randint(1, 3))
    return {name: "\n\n".join(line(chance, words) for _ in range(chance.randint(1, 3))) for name in names}


def item(chance: Random, words: Vocabulary) -> Item:
    """Return a post or a comment."""
    is_post = chance.choice((True, True, False))
    return Item(
        source=chance.choice(("reddit", "hackernews")),
        id="1",
        kind="post" if is_post else "comment",
        place=chance.choice(("python", "Rust", "all")),
        author=chance.choice(("Ann", "acme_bot", None)),
        title=line(chance, words) if is_post else "",
        body=body(chance, words),
        url=chance.choice(("", "", *ADDRESSES)) if is_post else "",
        thread_title="" if is_post else line(chance, words),
        texts=chance.choice(({}, {}, {"flair": "Rust"}, {"flair": "acme db"}, further_texts(chance, words))),
        nsfw=chance.choice((False, True)),
        lang=chance.choice(("", "en", "pt-br")),
        created_at=0.0,
    )
