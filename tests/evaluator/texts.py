"""Random items that are likely to match: few words, in many spellings, inside Markdown that all dialects share."""

from __future__ import annotations

from hypothesis import strategies as st

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
        "🚀 👩\u200d💻 👩 💻 ❤\ufe0f ❤ 🇩🇪 👍🏽 👍",
        "C++ C# C c .net .NET net",
        "#tag tag $TSLA tsla 100% 100 C++",
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
    "www.acme.com/rust_db",
    "https://ACME.com",
)
SEPARATORS = (" ", " ", " ", " ", " ", "\n", ", ", "! ", ": ", " - ", " & ", "/", "-", "\u2010", "_", "&nbsp;")
ENTITIES = {"&": "&amp;", "’": "&#8217;", "'": "&#x27;", "é": "&eacute;", "#": "&#35;"}
ESCAPED = "#_*.-+'&"

Vocabulary = tuple[str, ...]

vocabularies = st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=3, unique=True).map(
    lambda families: tuple(dict.fromkeys(word for family in families for word in family))
)


@st.composite
def marked_words(draw: st.DrawFn, words: Vocabulary) -> str:
    """Return a word with or without markup, which white space must surround where there is any."""
    word = draw(st.sampled_from(words))
    kind = draw(st.integers(0, 30))
    if "[" in word:
        return word
    if kind < 3 and len(word) > 2 and word.isalnum() and word.isascii():
        cut = draw(st.integers(1, len(word) - 1))
        return draw(st.sampled_from(("**{}**{}", "{}**{}**", "*{}*{}", "<b>{}</b>{}"))).format(word[:cut], word[cut:])
    if kind == 3:
        return "".join(f"\\{char}" if char in ESCAPED else char for char in word)
    if kind == 4:
        return "".join(ENTITIES.get(char, char) for char in word)
    if kind < 8:
        return draw(st.sampled_from(("*{}*", "**{}**", "_{}_", "~~{}~~", "`{}`", ">!{}!<", "<i>{}</i>"))).format(word)
    if kind < 11:
        return f"[{word}]({draw(st.sampled_from(ADDRESSES))})"
    if kind == 11:
        return draw(st.sampled_from(("{}", "{}", "<{}>"))).format(draw(st.sampled_from(ADDRESSES[:5])))
    if kind == 12:
        other = draw(st.sampled_from([word for word in words if "[" not in word]))
        return draw(st.sampled_from(("**{} {}**", "*{} {}*", "[{} {}](https://acme.io)", ">!{} {}!<"))).format(
            word, other
        )
    return word


@st.composite
def lines(draw: st.DrawFn, words: Vocabulary, least: int = 0, most: int = 7, within_a_line: bool = False) -> str:
    """Return words with something between them."""
    text = ""
    plain = True
    for number in range(draw(st.integers(least, most))):
        word = draw(marked_words(words))
        now_plain = word in words
        separator = draw(st.sampled_from(SEPARATORS)) if number else ""
        if number and not (plain and now_plain and separator_fits(text, separator, word)):
            separator = " "
        if within_a_line and separator == "\n":
            separator = " "
        text += separator + word
        plain = now_plain
    # 2. would be the first item of a list.
    return text + draw(st.sampled_from(("", "", ".", "!"))) if text[-1:].isalpha() and plain else text


def separator_fits(text: str, separator: str, word: str) -> bool:
    """Return False where a sign without white space beside it would be read in several ways."""
    tight = separator.strip() == separator and separator not in ("\n", "&nbsp;")
    if tight and word.startswith("www."):
        return False
    return not tight or (text[-1].isalnum() and word[0].isalnum() and not any(map(str.isdigit, text[-1] + word[0])))


@st.composite
def blocks(draw: st.DrawFn, words: Vocabulary) -> str:
    """Return a paragraph, a list, a quote, a heading, a table or code."""
    kind = draw(st.integers(0, 12))
    if kind < 7:
        return draw(lines(words))
    one, two, three, four = (draw(lines(words, 1, 3, within_a_line=True)) for _ in range(4))
    if kind == 7:
        mark = draw(st.sampled_from(("- ", "* ", "1. ")))
        return f"{mark}{one}\n{mark}{two}\n  {three}"
    if kind == 8:
        return f"> {one}\n> {two}\n\n{three}"
    if kind == 9:
        return f"## {one}\n{two}"
    if kind == 10:
        return f"{one} | {two}\n---|---\n{three} | {four}"
    if kind == 11:
        code = draw(st.lists(st.sampled_from(words), min_size=1, max_size=3))
        return f"```\n{' '.join(code)}\n```\n{one}"
    return draw(
        st.sampled_from(("<p>{}</p><p>{}</p>", "{}<br>{}", "{}<br><br>{}", "<ul><li>{}</li><li>{}</li></ul>"))
    ).format(one, two)


@st.composite
def items(draw: st.DrawFn, words: Vocabulary) -> Item:
    """Return a post or a comment."""
    kind = draw(st.sampled_from(("post", "comment")))
    is_post = kind == "post"
    return Item(
        source=draw(st.sampled_from(("reddit", "hackernews"))),
        id="1",
        kind=kind,
        place=draw(st.sampled_from(("python", "Rust", "all"))),
        author=draw(st.sampled_from(("Ann", "acme_bot", None))),
        title=draw(lines(words, 0, 6, within_a_line=True)) if is_post else "",
        body="\n\n".join(draw(st.lists(blocks(words), max_size=4))),
        url=draw(st.sampled_from(("", "", *ADDRESSES))) if is_post else "",
        thread_title="" if is_post else draw(lines(words, 0, 6, within_a_line=True)),
        texts=draw(st.sampled_from(({}, {}, {"flair": "Rust"}, {"flair": "acme db"}))),
        nsfw=draw(st.booleans()),
        lang=draw(st.sampled_from(("", "en", "pt-br"))),
        created_at=0.0,
    )
