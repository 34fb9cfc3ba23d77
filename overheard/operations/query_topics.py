"""The query language by example: what `overheard query help` prints, and what docs/queries.md includes.

A text stands for an item: the body of a comment, or its fields, named as in a file for `overheard query test --file`:
"title: Acme is fast; author: alice". ⏎ stands for a new line. Each example is tested.
"""

from __future__ import annotations

from typing import NamedTuple


class QueryExample(NamedTuple):
    """A query, with texts in which it holds and others in which it does not."""

    query: str
    finds: tuple[str, ...]
    misses: tuple[str, ...]


class QueryTopic(NamedTuple):
    """A part of the language: a page of `overheard query help`."""

    title: str
    about: str
    examples: tuple[QueryExample, ...]


class QueryForm(NamedTuple):
    """A line of the cheat sheet: ways to write something, what they mean, and the topic with more."""

    written: tuple[str, ...]
    meaning: str
    topic: str


CHEAT_SHEET = (
    QueryForm(("acme", '"acme db"'), "a word, a phrase, in any case", "phrases"),
    QueryForm(("acme python", "acme AND python"), "both", "phrases"),
    QueryForm(("acme OR acmedb",), "one of them, or both", "phrases"),
    QueryForm(("acme -hiring", "acme NOT hiring"), "without", "phrases"),
    QueryForm(("acme (slow OR down)",), "brackets", "phrases"),
    QueryForm(('"rate limit"~5', "acme NEAR/15 slow"), "close together, in any order, in one paragraph", "phrases"),
    QueryForm(("=Rust", '="Rust Lang"'), "exactly as written: case, accents and signs count", "case"),
    QueryForm(("nodejs", "exact:dots nodejs"), "nodejs and node.js; nodejs only", "variants"),
    QueryForm(("title:acme", "body:acme", "thread:acme", "flair:question"), "in this field", "fields"),
    QueryForm(
        ("caption:acme", "poll:acme", "crosspost:acme"), "below a picture, in a poll, in a crossposted title", "fields"
    ),
    QueryForm(("acme -author:acmebot", "acme -author:(bob, *bot)"), "not by them", "fields"),
    QueryForm(("acme place:python", "acme subreddit:(python, django)"), "in these places", "scope"),
    QueryForm(
        ("acme source:hackernews", "acme is:post", "acme is:comment"), "from a source; only posts or comments", "scope"
    ),
    QueryForm(("acme -is:nsfw", "acme lang:en"), "without adult content; in a language", "scope"),
    QueryForm(("domain:acme.com", "domain:(acme.com, acme.io)"), "addresses of this host and those below it", "links"),
    QueryForm(("acme -in:link", "acme in:link", "url:pricing"), "outside addresses, or only in them", "links"),
    QueryForm(("optimi*", "*sql"), "words that begin or end so", "regex"),
    QueryForm(("~monitor",), "all forms of an English word: monitors, monitoring", "regex"),
    QueryForm(("/acme-?db[0-9]/",), "a regular expression (RE2)", "regex"),
)


def _examples(*rows: tuple[str, tuple[str, ...], tuple[str, ...]]) -> tuple[QueryExample, ...]:
    return tuple(QueryExample(*row) for row in rows)


TOPICS: dict[str, QueryTopic] = {
    "phrases": QueryTopic(
        "Words, phrases and operators",
        "A word without a field is searched in the title, the body and the addresses. Operators are in upper case; -"
        " and NOT bind first, then NEAR, then AND (or nothing), then OR.",
        _examples(
            ("acme", ("Acme is fast", "we left ACME.", "#acme"), ("acmes", "pineacme")),
            ("acme python", ("Python client for Acme",), ("Acme is fast",)),
            ('"acme db"', ("Acme DB is fast", "Acme (DB)", "acme, db"), ("the db of Acme", "We use Acme⏎⏎DB is down")),
            ("acme OR acmedb", ("acme", "acmedb"), ("ac me",)),
            ("acme -hiring", ("Acme is fast",), ("Acme is hiring",)),
            ("acme (slow OR down)", ("Acme is slow", "is acme down?"), ("Acme is fast", "slow")),
            ("acme slow OR down", ("Acme is slow", "my back is down"), ("Acme is fast",)),
            ('acme -("acme hotel" OR hiring)', ("Acme is fast",), ("The Acme Hotel", "Acme is hiring")),
            (
                '"rate limit"~5',
                ("the limit of their rate is low", "rate limit"),
                ("The rate is fine. There is, as far as I can see, a limit",),
            ),
            (
                "acme NEAR/5 slow",
                ("Acme has become very slow", "So slow, this Acme"),
                ("Acme is nice, and so is the weather. My train was slow", "Acme⏎⏎slow"),
            ),
            (
                "acme NEAR/5 (slow OR down)",
                ("acme is down", "Acme is very slow"),
                ("I wrote to Acme a week ago, and the answer is: slow down",),
            ),
        ),
    ),
    "case": QueryTopic(
        "Case: names that are common words",
        "`=` in front of a word or a phrase finds it only as it is written: case, accents and signs count.",
        _examples(
            ("rust", ("I like Rust", "a rust stain"), ("trust",)),
            ("=Rust", ("I like Rust", "**Rust** is fast", "Rust's compiler"), ("a rust stain", "RUST")),
            ('="Rust Lang"', ("The Rust Lang book",), ("the rust lang book", "Rust-Lang")),
            ("=US", ("made in the US",), ("join us", "the U.S.")),
            ("title:=Rust", ("title: Rust 2.0 is out",), ("title: Remove rust; body: Rust!",)),
            ("=Linear OR linear.app", ("We moved to Linear", "see linear.app/acme"), ("linear algebra",)),
        ),
    ),
    "variants": QueryTopic(
        "Variants: what matches what",
        "Spellings that mean the same are found, too. `exact:` switches one kind of them off, for the words beside it"
        " in the same brackets: accents, hyphens, dots, apostrophes, numbers, possessives, or all.",
        _examples(
            ("wi-fi", ("Wi-Fi", "wi fi", "wifi", "Wi‑Fi"), ("wi, fi", "wife")),
            ("wifi", ("wifi", "Wi-Fi"), ("wi fi",)),
            ("node.js", ("Node.js", "nodejs", "uses node.js."), ("node js", "a node. JS is hard")),
            ("nodejs", ("NodeJS", "node.js"), ("node js",)),
            ("O'Reilly", ("O'Reilly", "O’Reilly", "OReilly"), ("Reilly",)),
            ("oreilly", ("an O'Reilly book", "oreilly.com"), ("Reilly",)),
            ("I'm", ("I'm", "i’m", "im"), ("I am",)),
            ("acme", ("Acme's price", "acme’s"), ("acmes",)),
            ("Acme's", ("Acme's price", "the price of Acme"), ("acmed",)),
            ("usa", ("USA", "the U.S.A."), ("us",)),
            ("U.S.", ("the U.S. market", "the US market"), ("join us",)),
            ("1000", ("1000 users", "1,000 users", "1'000"), ("1,0000", "21,000", "1,000,000")),
            ("1,000", ("1,000 users", "1000 users"), ("1.000", "21,000")),
            ("v2.0", ("v2.0 is out", "version 2.0"), ("v2", "v2.01")),
            ("2.0", ("version 2.0", "v2.0"), ("1.2.0", "20")),
            ("pokemon", ("Pokemon", "Pokémon"), ("poke",)),
            ("pokémon", ("Pokémon", "pokemon"), ("poke",)),
            ("wifi exact:hyphens", ("wifi",), ("wi-fi",)),
            ("pokemon exact:accents", ("Pokemon",), ("Pokémon",)),
            ("(nodejs exact:dots) OR wi-fi", ("nodejs", "wifi"), ("node.js",)),
        ),
    ),
    "fields": QueryTopic(
        "Fields",
        "No space after the colon. A list in brackets is one of them: OR, a comma, or white space.",
        _examples(
            ("title:acme", ("title: Acme is fast",), ("title: Databases; body: Acme is fast", "Acme")),
            ('title:"acme db"', ("title: Why Acme DB?",), ("title: DB of Acme",)),
            ("title:(acme OR acmedb -jobs)", ("title: Acme", "title: AcmeDB is out"), ("title: Jobs at AcmeDB",)),
            ("body:acme", ("Acme is fast", "title: Databases; body: Acme is fast"), ("title: Acme",)),
            ("acme author:alice", ("body: Acme; author: alice",), ("body: Acme; author: bob",)),
            ("acme -author:*bot", ("body: Acme; author: alice",), ("body: Acme; author: acmebot",)),
            ("acme -author:(bob, carol)", ("body: Acme; author: alice",), ("body: Acme; author: Carol",)),
            (
                "thread:acme slow",
                ("thread_title: Acme is out; body: so slow", "title: Acme is slow"),
                ("thread_title: Databases; body: Acme is slow",),
            ),
            (
                "acme flair:question",
                ("title: Acme; link_flair_text: Question",),
                ("title: A question about Acme", "title: Acme; link_flair_text: News"),
            ),
            (
                "acme",
                (
                    "title: My desk; caption: Acme's own lamp",
                    "title: Which one?; poll: Bolt⏎⏎Acme",
                    "title: Look; crosspost: Acme is out",
                ),
                ("thread_title: Acme is out; body: so slow", "title: My desk; link_flair_text: Acme"),
            ),
            ("caption:acme", ("title: My desk; caption: Acme",), ("title: Acme; caption: My desk",)),
            ('poll:"acme db"', ("title: Which one?; poll: Acme DB⏎⏎Bolt",), ("title: Which?; poll: Acme⏎⏎DB",)),
        ),
    ),
    "scope": QueryTopic(
        "Scope: places, sources and kinds of items",
        "A narrow scope removes more noise than anything else. It can also stand in the workspace file, as places,"
        " sources and kinds of a query.",
        _examples(
            ("rust place:programming", ("body: Rust; subreddit: programming",), ("body: Rust; subreddit: playrust",)),
            ("rust subreddit:(rust, programming)", ("body: Rust; subreddit: Rust",), ("body: Rust; subreddit: cars",)),
            ("rust -place:playrust", ("body: Rust; subreddit: rust",), ("body: Rust; subreddit: playrust",)),
            ("acme source:hackernews", ("body: Acme; source: hackernews",), ("body: Acme; source: reddit",)),
            ("acme is:post", ("title: Acme is fast",), ("Acme is fast",)),
            ("acme is:comment", ("Acme is fast",), ("title: Acme is fast",)),
            ("acme -is:nsfw", ("title: Acme",), ("title: Acme; over_18: true",)),
            ("acme lang:de", ("body: Acme ist schnell; lang: de",), ("body: Acme is fast; lang: en", "Acme")),
            (
                "author:alice place:acme",
                ("body: Hello; author: alice; subreddit: acme",),
                ("body: Hello; author: alice",),
            ),
        ),
    ),
    "links": QueryTopic(
        "Addresses",
        "Plain words look into addresses, too: that of the item and those in its text.",
        _examples(
            (
                "acme",
                ("title: A database; url: https://acme.com/", "see https://github.com/acme/db"),
                ("title: A database",),
            ),
            (
                "domain:acme.com",
                (
                    "title: A database; url: https://docs.acme.com/x",
                    "ask sales@acme.com",
                    "acme[.]com",
                    "acme[dot]com",
                    "see acme.com.",
                    "新しいacme.comを",
                ),
                ("https://evil-acme.com/", "https://acme.com.evil.org/", "acme dot com"),
            ),
            ("domain:(acme.com, acme.io)", ("https://acme.io/", "acme.com"), ("acme.org",)),
            (
                "url:pricing",
                ("title: A database; url: https://acme.com/pricing", "[this](https://acme.com/pricing)"),
                ("their pricing",),
            ),
            ("acme -in:link", ("Acme is fast", "[Acme](https://x.org/1)"), ("https://acme.com/",)),
            ("acme in:link", ("https://acme.com/",), ("Acme is fast",)),
            ("acme is:link", ("title: Acme; url: https://acme.com/",), ("title: Acme; body: https://acme.com/",)),
            ("acme is:self", ("title: Acme; body: Is it fast?",), ("title: Acme; url: https://acme.com/",)),
        ),
    ),
    "regex": QueryTopic(
        "Parts of words, stems and regular expressions",
        "A part needs three letters or digits. Regular expressions are RE2's; with = in front, case counts.",
        _examples(
            ("optimi*", ("Optimise it", "the optimizer"), ("an optimum",)),
            ("*sql", ("PostgreSQL", "MySQL", "SQL"), ("sqlite",)),
            ("~monitor", ("monitoring", "it monitors", "Monitored"), ("monitory", "monit")),
            ("/acme-?db[0-9]/", ("AcmeDB2", "acme-db7 is out"), ("acme db 2",)),
            ("=/CVE-20[0-9]{2}-[0-9]+/", ("CVE-2026-12345",), ("cve-2026-12345",)),
            ("title:/^ask hn/", ("title: Ask HN: Acme?",), ("title: I ask HN", "Ask HN")),
        ),
    ),
}

RECIPES_TOPIC = "examples"
RECIPES_TITLE = "Queries for real needs"
RECIPES = (
    QueryTopic(
        "A brand that is a common word",
        "Write it as its owner does, with `=` in front: then case counts. Add what is certain in any case.",
        _examples(
            (
                '=Linear OR "linear app" OR domain:linear.app',
                ("Has anyone moved from Jira to Linear?", "https://linear.app/acme", "the linear app is down"),
                ("a linear regression", "linear applications"),
            ),
            (
                "linear NEAR/10 (app OR jira OR tickets)",
                ("does linear have a mobile app?", "we left jira for linear"),
                ("it grows in linear time",),
            ),
        ),
    ),
    QueryTopic(
        "A product with a dot",
        "Just write it. It is also found without the dot, but not where one sentence ends and another begins.",
        _examples(
            ("next.js", ("Next.js 16 is out", "nextjs or remix?"), ("what comes next. JS is hard", "next js")),
            ("next.js -hiring", ("We use nextjs",), ("Hiring: Next.js",)),
        ),
    ),
    QueryTopic(
        "A version",
        "In quotes, with the name: a number alone may stand anywhere in a text. Later parts of it may follow; for"
        " several versions, use a regular expression.",
        _examples(
            (
                '"acme db 3"',
                ("Acme DB 3 is out", "Acme DB 3.2 is slow"),
                ("Acme DB 2.3", "Acme DB has 3 bugs", "Acme DB 30"),
            ),
            (
                "/acme ?db v?3\\.1[1-9]/",
                ("AcmeDB 3.12", "Acme DB v3.11 is out"),
                ("Acme DB 3.1", "Acme DB 3.10"),
            ),
        ),
    ),
    QueryTopic(
        "Hiring for a language with signs in its name",
        "Write them: `C++` finds neither C nor C#, and `.NET` not the word net. Leave out `job` and `looking for`:"
        " in most texts they mean something else.",
        _examples(
            (
                '(hiring OR vacancy OR "job opening") NEAR/15 (C++ OR C# OR .NET)',
                ("We are hiring C++ developers", "Job opening: .NET engineer, remote"),
                ("We are hiring C developers", "I am looking for good C++ lectures"),
            ),
        ),
    ),
    QueryTopic(
        "An error message",
        "In quotes, all of it or the part that is always the same; signs in it do not matter.",
        _examples(
            (
                '"E: Unable to locate package acme"',
                ("E: Unable to locate package acme-db", "It says: e - unable to locate package acme!"),
                ("I cannot locate the package of acme",),
            ),
            (
                'acme NEAR/20 ("connection refused" OR ECONNREFUSED)',
                ("connect ECONNREFUSED 127.0.0.1:5432 (acme)", "Acme says: Connection refused"),
                ("Acme refused the connection",),
            ),
        ),
    ),
    QueryTopic(
        "A person",
        "With `~1`, in either order and with a second name. Accents do not count, without `=`.",
        _examples(
            (
                '"Zoë Müller"~1',
                ("zoe muller said so", "Müller, Zoë", "Zoë B. Müller"),
                ("Zoë and her friend Ms. Müller", "Zoë Mueller"),
            ),
        ),
    ),
    QueryTopic(
        "A name in another script",
        "Where there are no spaces between words, the name is found inside of others. In Arabic and Hebrew, a * in"
        " front also finds it behind an article or a preposition. Add the name in Latin letters.",
        _examples(
            (
                "任天堂 OR ニンテンドー OR nintendo",
                ("任天堂の新作", "ﾆﾝﾃﾝﾄﾞｰSwitchを買った", "Nintendoは"),
                ("天堂",),
            ),
            ("*سامسونج OR samsung", ("هاتف سامسونج", "بسامسونج", "السامسونج"), ("سام",)),
        ),
    ),
    QueryTopic(
        "“Alternative to …”",
        "Require the words near the name. In `NEAR/3` at most three words are between, and either side may come first. "
        "A phrase has one order only.",
        _examples(
            (
                '("alternative to" OR "alternatives to" OR "instead of") NEAR/3 (postman OR insomnia)',
                ("Is there a good alternative to Postman?", "Use it instead of Insomnia"),
                ("Postman has an alternative", "Instead of sleeping I have been reading about insomnia"),
            ),
            (
                '"alternative to postman" OR "alternatives to postman" OR "instead of postman"',
                ("Is there an alternative to Postman?", "Use curl instead of Postman"),
                ("Use Postman instead of curl", "an alternative to the old Postman"),
            ),
            (
                "postman NEAR/5 alternative* is:post",
                ("title: Alternatives for Postman",),
                ("title: Postman: I have tried nearly all of the alternatives", "body: a Postman alternative"),
            ),
        ),
    ),
    QueryTopic(
        "Everything about a site",
        "`domain:` finds links to it and to names below it, and the bare name. Most posts about it only link to it.",
        _examples(
            (
                "domain:acme.com",
                ("title: A fast database; url: https://blog.acme.com/fast", "look at acme.com/pricing"),
                ("acme is fast", "https://notacme.com/"),
            ),
            (
                "domain:acme.com -author:(acme, acme_support)",
                ("body: https://acme.com/; author: alice",),
                ("body: https://acme.com/; author: Acme_Support",),
            ),
        ),
    ),
    QueryTopic(
        "Complaints",
        "Words of complaint near the name, in one paragraph: without `NEAR`, they could be anywhere in a long text. "
        "`-author:` leaves out what its maker writes.",
        _examples(
            (
                'acme NEAR/15 (~crash OR slow OR outage OR broken OR "does not work" OR refund)',
                ("Since the update Acme crashes all the time", "Slow today: Acme, again"),
                ("Acme is fast", "Acme⏎⏎My train is slow"),
            ),
            (
                "acme NEAR/15 (slow OR broken) -author:acme*",
                ("body: Acme is so slow; author: alice",),
                ("body: Acme was slow yesterday, sorry; author: acme_support",),
            ),
        ),
    ),
    QueryTopic(
        "Comparisons",
        "The name near `vs`, or near a competitor.",
        _examples(
            (
                "acme NEAR/3 (vs OR versus) OR acme NEAR/10 (bolt OR cedar) (better OR faster OR cheaper)",
                ("Acme vs Bolt", "Is Acme any better than Cedar?"),
                ("Acme and Bolt",),
            ),
        ),
    ),
)
