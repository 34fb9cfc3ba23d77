"""What queries mean, as somebody expects who knows the language from outside: what they find, and what they do not.

A text is the body of a comment, or fields of an item ("title: Acme; url: https://acme.com/"); | separates several, and
⏎ is a new line. Each row is run against the index, too.
"""

from __future__ import annotations

import pytest

from overheard.items import Item
from overheard.matching.index.query_index import QueryIndex, matches
from overheard.matching.language import QuerySyntaxError, parse
from tests.query_docs import item

SCOPE = [
    ("acme place:r/Python", "title: acme; subreddit: python", "title: acme; subreddit: pythonista|title: acme"),
    ("acme -subreddit:(python, go)", "title: acme; subreddit: rust|title: acme", "title: acme; subreddit: Go"),
    ("acme source:(reddit, hackernews)", "title: acme; source: hackernews", "title: acme; source: bluesky"),
    ("acme -is:comment", "title: acme", "acme"),
    (
        "acme is:self",
        "title: acme|title: acme; url: https://x.y/; is_self: true",
        "title: acme; url: https://x.y/|acme",
    ),
    ("acme lang:pt", "body: acme; lang: pt-BR", "body: acme; lang: ptx|acme"),
    ("acme -author:(bob, *bot)", "body: acme; author: botty", "body: acme; author: BOB|body: acme; author: acme-bot"),
    ("place:python -hiring", "title: anything; subreddit: python", "title: hiring; subreddit: python|title: x"),
]
FIELDS = [
    ("acme", "title: Acme|title: x; url: https://acme.com/", "thread_title: Acme; body: x|body: x; author: acme"),
    ("title:(acme, bolt)", "title: acme|title: Bolt!", "title: x; body: acme|acme"),
    ("title:(acme -bolt)", "title: acme; body: bolt", "title: acme bolt"),
    ('title:="Rust Lang"', "title: the Rust Lang", "title: rust lang|title: x; body: Rust Lang"),
    ("-title:hiring acme", "title: acme; body: hiring", "title: acme hiring"),
    ("body:acme", "acme|title: x; body: [x](https://acme.com/)", "title: acme|title: x; url: https://acme.com/"),
    ("url:acme", "title: www.acme.com|[x](https://x.com/acme)", "acme|[acme](https://x.com/)"),
    ("thread:acme", "title: Acme|thread_title: Acme; body: x", "thread_title: x; body: acme"),
    ('flair:"help wanted"', "title: x; link_flair_text: Help Wanted!", "title: help wanted"),
]
ADDRESSES = [
    (
        "domain:acme.com",
        "https://ACME.com|a.b.acme.com|see acme.com.|[x](http://acme.com/a_(b))|<https://acme.com>|hxxps://acme[.]com/x"
        "|acme(.)com|acme[dot]com|https://u:p@acme.com:80/|sales@acme.com|*acme.com*|`acme.com`"
        "|title: x; url: //acme.com|[docs]: https://acme.com/docs|https:\\/\\/acme.com|[a](<https://acme.com/x y> 't')|https://t.co/?u=//acme.com/",
        "https://acme.com.evil.org|https://evil-acme.com|notacme.com|acme.community|acme. com|acme dot com|acme_com"
        "|https://acme.com@evil.org/|https://evil.org/acme.com|acme.com.br|body: x; author: acme.com",
    ),
    ("domain:münchen.de", "https://xn--mnchen-3ya.de/|www.münchen.de", "munchen.de"),
    ("domain:münchen.de", "http://mu\u0308nchen.de/", "mu\u0308nchen.det"),
    ("domain:(a.com b.com)", "a.com|b.com", "c.com"),
    (
        "domain:acme.com",
        "acme.comを使う|新しいacme.comの|acme.comとbolt.ioを|https://acme.comを|访问www.acme.com吧|acme.com에서|เว็บacme.comดี",
        "acme.comxを|新acme-db.comの|https://東京acme.com/",
    ),
    ("domain:例え.jp", "例え.jpを|https://例え.jp/", "東京例え.jp"),
    ("foo -domain:acme.com", "foo acme", "foo https://acme.com|title: foo; url: https://acme.com"),
    (
        "acme -in:link",
        "[Acme](https://x.org)|acme https://acme.com",
        "https://acme.com/|[x](https://acme.com)|_www.acme.com_",
    ),
    ("acme (bolt -in:link)", "https://acme.com bolt", "https://acme.com https://bolt.io"),
    ("acme in:link", "https://acme.com/|title: www.acme.com", "acme"),
    ('"acme db" -in:link', "acme db", "https://x.com/acme-db"),
    ("acme", "https://x.com/?q=a%20acme|[l](https://x.com/%2Facme)|title: x; url: https://x.y/a%20acme", "20acme"),
    ('"acme db"', "https://x.com/acme%20db|https://x.com/?q=acme+db", "https://x.com/acme%20x%20db"),
    ("café", "https://x.com/caf%C3%A9|https://x.com/cafe", "https://x.com/caf%E9s"),
    ("https://x.com/a%20b", "see https://x.com/a%20b.", "https://x.com/a"),
]
PROXIMITY = [
    (
        '"rate limit"~5',
        "limit rate|the rate a b c d e limit|rate⏎limit|**rate** *limit*|rate [a](https://x.y/l/o/n/g/e/r) limit",
        "rate a b c d e f limit|rate⏎⏎limit|- rate⏎- limit|1. rate⏎2. limit|# rate⏎limit|> rate⏎⏎limit|limit limit"
        "|<p>rate</p><p>limit</p>|rate<br><br>limit|rate⏎---⏎limit|rate⏎> limit",
    ),
    ("acme NEAR/2 slow", "slow acme|acme a b slow", "acme a b c slow|acme⏎⏎slow|- acme⏎- slow"),
    ("acme NEAR/0 slow", "slow, acme", "acme x slow"),
    ("acme NEAR/3 acme", "acme x acme", "acme"),
    ('"acme db" NEAR/2 slow', "slow x y acme db", "acme is db slow"),
    ("(acme OR bolt) NEAR/2 (slow OR down)", "acme is down|slow bolt", "acme a b c down"),
    ("wi-fi NEAR/0 down", "down wifi|wi fi down", "wi-fi is down"),
    ("acme NEAR/3 slow OR bolt", "bolt|acme slow", "acme"),
]
MARKUP = [
    (
        "acme",
        "**Ac**me|>!Acme!<|<b>Ac</b>me|&quot;Acme&quot;|![Acme](https://x.y/i.png)|\\*Acme\\*|Ac<wbr>me|Ac&shy;me"
        "|&#65;cme|Ac&#8203;me|    Acme|```⏎Acme⏎```|[x][1]⏎⏎[1]: https://acme.com|Ａｃｍｅ|^(Acme)|~~Acme~~",
        "Ac me|Acm&eacute;e|Ac*me",
    ),
    (
        '"acme db"',
        "**Acme** DB|[Acme](https://x.y) DB|Acme⏎DB|Acme&nbsp;DB|Acme<br>DB|> Acme⏎> DB|- Acme⏎  DB"
        "|Acme. DB|`Acme` `DB`",
        "Acme⏎⏎DB|* Acme⏎* DB|1) Acme⏎2) DB|Acme⏎===⏎DB|Acme⏎> DB|> Acme⏎⏎DB|```⏎Acme⏎```⏎DB|<li>Acme<li>DB"
        "|<td>Acme</td><td>DB</td>|Acme⏎***⏎DB|Acme⏎## DB|title: Acme; body: DB",
    ),
    ("don't", "don&#39;t|don&rsquo;t|don\\'t|don’t|dont", "don & t|don"),
    ("x200b", "x200b", "&#x200B;⏎⏎hello|&amp;#x200B;"),
    ("amp", "an amp", "AT&amp;T|x &amp; y"),
    ("class", "a class", '<span class="x">z</span>'),
    ("t", "Vec<T>|List&lt;T&gt;", "<tt>x</tt>"),
    ("__init__", "`__init__`|def __init__(self)", "initial"),
]
TIGHT = [
    (
        "next.js",
        "Next.js!|(next.js)|**next**.js|next\\.js|nextjs|next.js's|[next.js](https://x.y)|next&#46;js|what's next.js?",
        "comes next. JS is hard|next js|next .js|next-js|next/js|next..js|next⏎.js|next.jsx",
    ),
    (
        "acme.io",
        "https://acme.io/|me@acme.io|www.acme.io|acme.io.",
        "Acme. IO is slow|acme.io.evil.org|evil-acme.io|acme:io",
    ),
    ("AT&T", "at&t|AT&amp;T|AT&#38;T|AT&T's|*AT&T*", "meet at T.|AT & T|ATT|at&amp; t|AT&TV"),
    ("3.11", "Python 3.11.|3.11.2|v3.11|3\\.11|**3.11**|3.11-dev", "2.3.11|3:11 pm|1,003.11|13.11|3.111|3. 11|3-11"),
    ("12:30", "at 12:30.", "12.30|12: 30|112:30"),
    ("r/python", "/r/Python.|https://reddit.com/r/python/", "r python|r: python|r / python|or/python|r/pythoncoding"),
    ("@acme", "thanks @Acme!|**@acme**|\\@acme|cc:@acme", "acme|me@acme.io|@ acme|@acmedb"),
    ("#acme", "(#Acme)|\\#acme", "# acme|page#acme|#acmedb"),
    ("$TSLA", "($tsla)|\\$TSLA", "TSLA|$ TSLA|US$TSLA"),
    ("100%", "100\\%|(100%)|100%!", "100 percent|100 %|1100%|100"),
    ("5%", "5%-6%|up 5\\%", "2.5%|15%|5"),
    ("2.5%", "2.5%", "2.5|12.5%|1.2.5%"),
    ("foo::bar", "`foo::bar()`|std::foo::bar", "foo:bar|foo:: bar|foo bar"),
    ("C++", "C\\+\\+|(C++)|C++20|**C++**", "C|C+|C#"),
    (".NET", "the .NET 8", "slashdot.net|. NET|end. Net"),
    ("foo_bar", "foo\\_bar|FOO_BAR", "foo bar|foobar|foo__bar"),
    ("acme.com's", "acme.com's", "acme com's"),
    ("$1,000", "$1,000|$1000", "1000|1,000"),
    ("#wi-fi", "#Wi-Fi|#wifi", "wifi|wi-fi"),
    ("@node.js", "@node.js|@nodejs", "nodejs|node.js"),
    ("1,000%", "1,000%|1000%", "1000"),
]
VARIANTS = [
    ("wi-fi", "wifi|wi fi|WI‑FI|**wi**-fi", "wi, fi|wi - fi|wi--fi|wi.fi"),
    ("wifi", "Wi-Fi|wi‐fi", "wi fi"),
    ("wi-fi's", "wi-fi's|wifi", "wi"),
    ("node.js exact:dots", "Node.js", "nodejs"),
    ("wifi exact:hyphens", "wifi", "wi-fi"),
    ("O'Reilly", "O’Reilly|OReilly|O&#39;Reilly|O'Reilly's", "Reilly|O Reilly|O-Reilly"),
    ("I'm", "i’m|im", "I am|I m"),
    ("acme's", "acme", "acmed"),
    ("it's", "it’s|its", "it"),
    ('"let\'s encrypt"', "Let’s Encrypt", "let encrypt"),
    ("U.S.", "the U.S. market|US market", "join us|Us"),
    ("usa", "U.S.A.|u.s.a", "us a"),
    ("U.S. exact:dots", "the U.S. market", "US market"),
    ("1000", "1,000|1'000|$1,000.50", "1,000,000|11,000|1 000|1.000"),
    ("1,000", "1000|1’000", "1,000,000|11,000|1,0000|1.000"),
    ("1000000", "1,000,000", "1,000"),
    ("1,000 exact:numbers", "1,000", "1000"),
    ("v2.0", "V2.0.|version 2.0", "v2|v2.01|3.2.0|v2:0"),
    ("2.0", "v2.0", "1.2.0|20"),
    ("pokemon", "Pokémon|poke\u0301mon", "poke"),
    ("pokémon exact:accents", "POKÉMON|poke\u0301mon", "pokemon"),
    ("dont exact:accents", "don’t", "don"),
    ("istanbul exact:accents", "İstanbul", "ıstänbul"),
    ("pokemon exact:(accents, hyphens)", "Pokemon", "pokémon"),
    ("(pokemon exact:accents) OR cafe", "café", "pokémon"),
]
EXACT = [
    ("=Rust", "**Rust**|*R*ust|Rust's|`Rust`|#Rust", "rust|RUST|Rusty"),
    ('="Rust Lang"', "Rust⏎Lang|[Rust](https://x.y) Lang|Rust&nbsp;Lang", "Rust lang|Rust-Lang|Rust, Lang|Rust⏎⏎Lang"),
    ("=US", "the US", "us|the U.S."),
    ("=1000", "1000", "1,000"),
    ("=Pokémon", "Poke\u0301mon", "Pokemon|pokémon"),
    ("=O'Reilly", "O’Reilly", "OReilly|o'reilly"),
    ("=don't", "don’t", "dont|Don't"),
    ("=C#", "C\\#", "C|c#"),
]
SCRIPTS = [
    ("أحمد", "احمد|أحمد", "محمد"),
    ("محمد", "مُحَمَّد|محـــمد", "احمد"),
    ("الجزيرة", "الجزيره|ٱلْجَزِيرَة", "جزيرة"),
    ("علي", "على|علی", "عل"),
    ("كتاب", "کتاب", "كتب"),
    ("=علي", "علي", "على"),
    ("שלום", "שָׁלוֹם", "שלו"),
    ("ΟΔΟΣ", "οδός", "οδο"),
    ("duong", "Đường", "dua"),
    ("ışık", "IŞIK|isik", "asik"),
    ("мой", "МОЙ", "мои"),
    ("東京", "在東京都", "京東"),
    ("カメラ", "デジタルカメラ|ｶﾒﾗ", "カメ"),
    ("서울", "서울에서", "부산"),
    ("ภาษา", "ภาษาไทย", "ไทย"),
    ("iphone", "新iPhone手机", "手机"),
    ("हिन्दी", "हिन्दी में", "हिन्द"),
    ("👍", "ok👍🏽!|👍👍", "👎"),
    ("👩‍💻", "👩🏽‍💻", "👩|💻"),
    ("🇩🇪", "🇫🇷🇩🇪", "🇪🇩"),
    ("❤", "❤️", "💔"),
    ("acme", "ac\u200bme|\u202aacme\u202c|a\u00adcme", "ac\u2009me"),
]
FORMS = [
    ("optimi*", "Optimizers", "reoptimize|optimum"),
    ("*sql", "PostgreSQL", "mysqls"),
    ("~monitor", "monitoring|Monitored", "monitory"),
    (r"/acme\s+db/", "**acme** db|[acme](https://x.y) db|acme&nbsp;db|acme\u2009db", "acmedb"),
    (r"=/^Acme/", "**Acme** x|x⏎Acme", "acme|x Acme"),
    (r"url:/\/pricing$/", "title: x; url: https://acme.com/pricing", "https://acme.com/pricing/x"),
]
BOOLEAN = [
    ("a OR b c", "a|b c", "b|c"),
    ("a -b OR c", "a|b c", "a b"),
    ("a -(b OR c)", "a", "a b|a c"),
    ("a NOT NOT b", "a b", "a"),
    ('"NOT"', "not", "x"),
    ("–acme bolt", "bolt", "acme bolt"),
    ("what? acme!", "what acme", "acme"),
]
GROUPS = {
    "scope": SCOPE, "fields": FIELDS, "addresses": ADDRESSES, "proximity": PROXIMITY, "markup": MARKUP, "tight": TIGHT,
    "variants": VARIANTS, "exact": EXACT, "scripts": SCRIPTS, "forms": FORMS, "boolean": BOOLEAN,
}  # fmt: skip
ROWS = [pytest.param(*row, id=f"{name}: {row[0]}") for name, rows in GROUPS.items() for row in rows]


@pytest.mark.parametrize(("query", "found", "missed"), ROWS)
def test_what_a_query_means(query: str, found: str, missed: str) -> None:
    for text in found.split("|"):
        assert finds(query, item(text)), text
    for text in missed.split("|"):
        assert not finds(query, item(text)), text


def finds(text: str, where: Item) -> bool:
    query, index = parse(text), QueryIndex()
    index.add(1, query)
    alone, indexed = matches(query, where), index.match(where)
    assert (alone is not None) is bool(indexed)
    return bool(indexed)


@pytest.mark.parametrize(
    ("query", "text", "highlights"),
    [
        ("acme", "the **Ac**me", ["Ac**me"]),
        ("AT&T", "I use AT&amp;T here", ["AT&amp;T"]),
        ('"acme db"', "**Acme** [DB](https://x.y)", ["Acme** [DB"]),
        ('"acme db"', "[Acme](https://x.y/z) DB", ["Acme](https://x.y/z) DB"]),
        ("wifi", "the Wi-Fi is", ["Wi-Fi"]),
        ("$1,000", "$1000 or $1,000", ["$1000", "$1,000"]),
        ("1000", "1,000 or 1000", ["1,000", "1000"]),
        ("acme's", "Acme’s db, acme", ["Acme’s", "acme"]),
        ("acme", "https://x.y/%61cme%20db", ["%61cme"]),
        ("café", "a caf&eacute;! https://x.y/caf%C3%A9%20", ["caf&eacute;", "caf%C3%A9"]),
        ("domain:acme.com", "https://docs.acme.com/x", ["docs.acme.com"]),
        (r"/acme\s+db/", "the **ac**me&nbsp;[db](https://x.y)", ["ac**me&nbsp;[db"]),
        ("👍", "ok 👍🏽!", ["👍🏽"]),
        ("rate NEAR/3 limit", "the limit of this rate", ["limit", "rate"]),
        ("2.5%", "up 2.5%!", ["2.5%"]),
        ("v2.0", "2.0 or v2.0", ["2.0", "v2.0"]),
        ("东京", "在东京都", ["东京"]),
        ("domain:acme.com", "新しいacme.comとwww.acme.comの", ["acme.com", "www.acme.com"]),
    ],
)
def test_what_is_highlighted(query: str, text: str, highlights: list[str]) -> None:
    hit = matches(parse(query), item(text))
    assert hit is not None
    assert [text[start:end] for _, start, end in hit.highlights] == highlights


@pytest.mark.parametrize(
    ("query", "remedy"),
    [
        ("label:bug x", "flair:bug"), ("assignee:bob x", "author:bob"), ("repo:a/b x", "place:a/b"),
        ("intitle:acme", "title:acme"), ("site:acme.com", "domain:acme.com"), ("inurl:acme", "url:acme"),
        ("from:bob x", "author:bob"), ("subject:acme", "title:acme"), ("has:attachment x", "is:link"),
        ("acme~1", "OR"), ("acme^2", "Drop"), ("[a TO b]", "OR"), ("ac?e", "OR"), ("!acme x", "-"),
        ("acme AROUND(3) bolt", "NEAR/15"), ("acme NEAR/x bolt", "NEAR/15"), ("acme NEAR4 bolt", "NEAR/4"),
        ("acme filter:links", "is:link"), ("min_faves:5 acme", "Leave"), ("points>5 acme", "Leave"),
        ("stars:>5 acme", "Leave"), ("%acme%", "*"), ("acme%", "*"), ("'acme db'", '"acme db"'),
        ("acme or bolt", "OR"), ("acme | bolt", "OR"), ("place:a,b x", "place:(a, b)"), ("is:post,comment x", "is:("),
        ("before:2024 acme", "Leave out before:2024;"), ("sort:new acme", "Leave out sort:new;"),
        ("*.acme.com", "domain:acme.com"), ("データ*", "Leave the * out"), ("*東京", "Leave the * out"),
        ("~データ", "Leave the ~ out"), ("acme NEAR/5 -slow", "a -(a NEAR/5 b)"), ("is:story x", "is:post"),
        ("is:reply x", "is:comment"), ("is:text x", "is:self"), ("exact:dots,accents x", "exact:(dots, accents)"),
        ("x in:title,body", "in:(title, body)"), ("this is not it", "the whole phrase"),
        ("domain:a.com,b.com", "domain:(a.com, b.com)"), ("autor:bob x", "author:bob"), ("title: acme", "title:acme"),
    ],
)  # fmt: skip
def test_what_means_something_elsewhere_is_refused_with_a_remedy(query: str, remedy: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(query)
    assert remedy in caught.value.hint
