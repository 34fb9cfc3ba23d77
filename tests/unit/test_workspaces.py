"""The workspace file: what is written is read back, and mistakes are reported with workspace and field."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overheard.errors import InvalidInput
from overheard.sources.reddit import names
from overheard.workspaces import (
    ChannelSpec,
    MuteSpec,
    QuerySpec,
    WatchedFeed,
    WatchSpec,
    WorkspaceSpec,
    read,
    validated,
    validated_query,
    write,
)
from overheard.workspaces.table_problems import PARTS
from overheard.workspaces.toml_lines import TomlLines
from overheard.workspaces.validation import SLUG

EXAMPLE = """
[[workspace]]
slug = "acme"
name = "Acme"
timezone = "Europe/Berlin"
every = "*/5 * * * *"
digest = "0 9 * * *"
subreddits = ["python", "r/linux", "/r/Python/", "selfhosted"]
kinds = ["posts", "comments", "posts"]
  [[workspace.query]]
  name = "brand"
  text = '"acme db" OR acmedb'
  [[workspace.channel]]
  name = "team"
  url = "https://example.org/hook"
  mode = "digest"
"""


def test_a_workspace_of_every_field_is_read() -> None:
    [spec] = read(EXAMPLE, "workspaces.toml")
    assert spec == WorkspaceSpec(
        slug="acme", name="Acme", timezone="Europe/Berlin", every="*/5 * * * *", digest="0 9 * * *",
        subreddits=("python", "linux", "selfhosted"), kinds=("posts", "comments"),
        query=(QuerySpec("brand", '"acme db" OR acmedb'),),
        channel=(ChannelSpec("team", "https://example.org/hook", "digest"),),
    )  # fmt: skip
    assert spec.feeds == [
        ("reddit", kind, name, (items,))
        for kind, items in (("posts", "post"), ("comments", "comment"))
        for name in ("python", "linux", "selfhosted")
    ]


WATCHES = """
[[workspace]]
slug = "acme"
subreddits = ["python"]
kinds = ["posts"]
  [[workspace.watch]]
  source = "replay"
  places = ["Python", "all"]
  [[workspace.watch]]
  source = "reddit"
  places = ["r/rust"]
  kinds = ["comments"]
  [[workspace.watch]]
  source = "replay"
  places = ["python"]
  kinds = ["comments"]
"""


def test_a_watch_names_a_source_its_places_and_kinds() -> None:
    [spec] = read(WATCHES, "x")
    assert (spec.subreddits, spec.kinds) == ((), ("posts", "comments"))
    assert spec.watch == (
        WatchSpec("reddit", ("python",), ("posts",)),
        WatchSpec("replay", ("Python",), ("posts", "comments")),
        WatchSpec("replay", ("all",), ("posts",)),
        WatchSpec("reddit", ("rust",), ("comments",)),
    )
    assert spec.feeds == [
        WatchedFeed("reddit", "posts", "python", ("post",)),
        WatchedFeed("replay", "items", "python", ("post", "comment")),
        WatchedFeed("replay", "items", "all", ("post",)),
        WatchedFeed("reddit", "comments", "rust", ("comment",)),
    ]
    text = write([spec])
    assert "subreddits" not in text
    assert read(text, "x") == [spec]


def test_a_single_watch_of_reddit_takes_the_short_form() -> None:
    watch = [{"source": "reddit", "places": ["/r/Rust/", "RUST", "linux"]}]
    [spec] = read(change(watch=watch, kinds=["comments", "posts"]), "x")
    assert (spec.subreddits, spec.watch) == (("python", "linux", "selfhosted", "Rust"), ())
    assert write([spec]).splitlines()[6:8] == [
        'subreddits = ["python", "linux", "selfhosted", "Rust"]', 'kinds = ["posts", "comments"]',
    ]  # fmt: skip
    [spec] = read(change(watch=[{**watch[0], "kinds": ["posts"]}], subreddits=None), "x")
    assert (spec.subreddits, spec.kinds, spec.watch) == (("Rust", "linux"), ("posts",), ())


def test_a_slug_and_a_subreddit_are_enough() -> None:
    [spec] = read('[[workspace]]\nslug = "a"\nsubreddits = ["all"]\n', "x")
    assert (spec.name, spec.timezone, spec.every, spec.digest) == ("a", "UTC", "5m", "0 9 * * *")
    assert spec.kinds == ("posts", "comments")
    assert read("", "x") == []


def change(**fields: Any) -> str:
    """Return the example's workspace with some fields changed; None leaves one out."""
    table = tomllib.loads(EXAMPLE)["workspace"][0]
    table |= fields
    return "\n".join(
        ["[[workspace]]", *(f"{key} = {inline(value)}" for key, value in table.items() if value is not None)]
    )


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inline(each) for each in value) + "]"
    return msgspec.json.encode(value).decode()


@pytest.mark.parametrize(
    ("fields", "hints"),
    [
        ({"slug": "Acme"}, ["workspace Acme", "slug 'Acme'", "lower-case"]),
        ({"slug": "acme\n"}, ["slug 'acme\\n'"]),
        ({"slug": ""}, ["slug ''"]),
        ({"slug": "a" * 64}, ["slug"]),
        ({"slug": None}, ["workspace number 1", "slug"]),
        ({"slug": 5}, ["workspace number 1", "slug"]),
        ({"name": 5}, ["workspace acme", "name"]),
        ({"name": "a\x00b"}, ["workspace acme", "name", "cannot be stored"]),
        ({"timezone": "Berlin"}, ["workspace acme: timezone: ", "did you mean Europe/Berlin"]),
        ({"every": "now and then"}, ["workspace acme: every: ", "'now and then'"]),
        ({"every": "0 0 31 2 *"}, ["workspace acme: every: ", "ever due"]),
        ({"digest": "@daily"}, ["workspace acme: digest: "]),
        ({"digest": ""}, ["workspace acme: digest: "]),
        ({"slug": "123"}, ["slug '123'", "a workspace's number"]),
        ({"subreddits": []}, ["workspace acme: subreddits", '["all"]']),
        ({"subreddits": None}, ["workspace acme", "subreddits"]),
        ({"subreddits": "python"}, ["workspace acme", "subreddits"]),
        ({"subreddits": ["python", "no spaces"]}, ["workspace acme: subreddits: 'no spaces'"]),
        ({"subreddits": ["a+b"]}, ["workspace acme: subreddits: 'a+b'"]),
        ({"subreddits": ["../x"]}, ["workspace acme: subreddits"]),
        ({"subreddits": ["r/Popular"]}, ["subreddits: r/popular is not a subreddit: it shows what is popular now"]),
        (
            {"subreddits": ["all", "r/Python", "u_Ann"]},
            ["watch of reddit: 'all' beside r/python, r/u_ann: all posts and comments are read already; leave the"],
        ),
        (
            {"subreddits": ["all"], "watch": [{"source": "reddit", "places": ["rust"], "kinds": ["posts"]}]},
            ["watch of reddit: 'all' beside r/rust"],
        ),
        ({"kinds": []}, ["workspace acme: kinds"]),
        ({"kinds": ["links"]}, ["workspace acme", "kinds"]),
        ({"quiet": True}, ["workspace acme", "quiet"]),
        ({"kinds": ["items"]}, ["workspace acme", "kinds", "valid: posts, comments"]),
        ({"watch": [{"source": "redit", "places": ["x"]}]}, ["watch: source 'redit' is not known; valid: reddit"]),
        ({"watch": [{"source": "canary", "places": ["x"]}]}, ["watch: source 'canary' is not known; valid: reddit"]),
        ({"watch": [{"source": "reddit", "places": ["a b"]}]}, ["watch of reddit: places: 'a b' cannot be the name"]),
        ({"watch": [{"source": "replay", "places": ["a\x00b"]}]}, ["watch of replay: places: ", "cannot be the name"]),
        ({"watch": [{"source": "replay", "places": []}]}, ["watch of 'replay': places: name at least one"]),
        ({"watch": [{"source": "replay", "places": ["x"], "kinds": []}]}, ["watch of 'replay': kinds: ", "or both"]),
        ({"watch": [{"source": "replay", "places": ["x"], "kinds": ["y"]}]}, ["kinds", "valid: posts, comments"]),
        (
            {"watch": [{"source": "replay", "place": ["x"]}]},
            ["watch: unknown key 'place'; valid: source, places, kinds"],
        ),
        ({"watch": [{"places": ["x"]}]}, ["workspace acme", "source"]),
        ({"query": [{"name": "x"}]}, ["workspace acme", "text", "query"]),
        ({"query": [{"name": "x", "text": '"open'}]}, ["workspace acme: query 'x':"]),
        ({"query": [{"name": "x", "text": "NOT a"}]}, ["workspace acme: query 'x':"]),
        ({"query": [{"name": "x", "text": "a\x00b"}]}, ["workspace acme: query 'x'", "cannot be stored"]),
        ({"query": [{"name": " ", "text": "a"}]}, ["workspace acme: query", "name"]),
        ({"query": [{"name": "x" * 101, "text": "a"}]}, ["workspace acme: query", "100"]),
        ({"query": [{"name": "x\x00", "text": "a"}]}, ["workspace acme: query", "cannot be stored"]),
        ({"query": [{"name": "x", "text": "a"}] * 2}, ["workspace acme: query 'x' occurs more than once"]),
        ({"channel": [{"name": "x", "url": "nonsense"}]}, ["workspace acme: channel 'x'", "url"]),
        ({"channel": [{"name": "x", "url": "https://u/", "mode": "often"}]}, ["workspace acme", "mode"]),
        (
            {"channel": [{"name": "x", "url": "https://h/", "secret": "short"}]},
            ["workspace acme: channel 'x'", "secret"],
        ),
        ({"channel": [{"name": "x", "url": "https://h/"}] * 2}, ["workspace acme: channel 'x' occurs more than"]),
    ],
)
def test_mistakes_are_reported_with_file_workspace_and_field(fields: dict[str, Any], hints: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(change(**fields), "my.toml")
    for hint in ["my.toml: ", *hints]:
        assert hint in str(refused.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[[workspace", "not valid TOML"),
        ("[workspace]\nslug = 'a'", "[[workspace]]"), ("workspace = 5", "[[workspace]]"),
        ("[[workspaces]]", "[[workspace]]"), ("[[workspace]]\nslug = 'a'\nslug = 'b'", "not valid TOML"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_workspaces_is_refused_with_its_name(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text, "my.toml")
    assert str(refused.value).startswith("my.toml: ")
    assert hint in str(refused.value)


def test_all_mistakes_are_reported_and_repeated_slugs_too() -> None:
    text = f"{change(every='x')}\n{EXAMPLE}\n{EXAMPLE}\n{change(slug='bolt', kinds=[])}"
    with pytest.raises(InvalidInput) as refused:
        read(text, "my.toml")
    lines = str(refused.value).splitlines()
    assert [line.split(": ")[1:3] for line in lines] == [
        ["line 5", "workspace acme"], ["line 52", "workspace bolt"], ["workspace acme occurs more than once"],
    ]  # fmt: skip


def test_no_message_shows_a_secret() -> None:
    for channel in (
        {"name": "x", "url": "slack://hunter2"},
        {"name": "x", "url": "https://user:hunter2@h ost/"},
        {"name": "x", "url": "https://h/hunter2", "secret": "hunter2"},
        {"name": "x", "url": "https://h/", "secret": "hunter2", "mode": "x"},
    ):
        with pytest.raises(InvalidInput) as refused:
            read(change(channel=[channel]), "my.toml")
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("secret", ["hunter2" * 2, "hunter2" * 60, "it's hunter2hunter2", "hunter2\nhunter2"])
def test_a_secret_in_place_of_a_choice_is_not_repeated(secret: str) -> None:
    for fields in ({"channel": [{"name": "x", "url": "https://h/", "mode": secret}]}, {"kinds": [secret]}):
        with pytest.raises(InvalidInput, match="valid: ") as refused:
            read(change(**fields), "my.toml")
        assert "hunter2" not in str(refused.value)
        assert "line 10: workspace acme: " in str(refused.value) or "line 8: workspace acme: " in str(refused.value)


def test_half_a_surrogate_pair_as_typed_in_a_terminal_is_refused() -> None:
    [spec] = read(EXAMPLE, "x")
    with pytest.raises(InvalidInput, match="name: it contains a character"):
        validated(msgspec.structs.replace(spec, name="\udcff"))
    with pytest.raises(InvalidInput, match="query"):
        validated(msgspec.structs.replace(spec, query=(QuerySpec("x", "acme \udcff"),)))


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=100).filter(str.strip)
SUBREDDITS = st.from_regex(names.SUBREDDIT, fullmatch=True).filter(str.isascii)
SOURCE_SETS = st.sampled_from([(), ("reddit",)])
KIND_SETS = st.sampled_from([("posts",), ("comments",), ("comments", "posts")])


def places(names: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(names, min_size=1, max_size=3).map(tuple)


SPECS = st.builds(
    WorkspaceSpec,
    slug=st.from_regex(SLUG, fullmatch=True).filter(lambda slug: not slug.isdecimal()),
    name=TEXTS,
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    every=st.sampled_from(["5m", "*/5 * * * *", "0 9 * * mon-fri"]),
    digest=st.sampled_from(["1d", "0 9 * * *"]),
    subreddits=st.lists(SUBREDDITS, min_size=1, max_size=4).map(tuple),
    kinds=KIND_SETS,
    watch=st.lists(
        st.one_of(
            st.builds(WatchSpec, st.just("reddit"), places(SUBREDDITS), st.none() | KIND_SETS),
            st.builds(WatchSpec, st.just("replay"), places(st.sampled_from(["a", "A", "all"])), st.none() | KIND_SETS),
        ),
        max_size=3,
    ).map(tuple),
    query=st.lists(
        st.builds(QuerySpec, NAMES, TEXTS.map(lambda text: f"acme {text}"), sources=SOURCE_SETS),
        max_size=3, unique_by=lambda q: q.name,
    ).map(tuple),
    quiet=st.sampled_from(["", "22:00-07:00"]),
    working=st.sampled_from(["", "mon-fri 08:00-18:00, sat 10:00-12:00"]),
    channel=st.lists(
        st.builds(
            ChannelSpec, NAMES, st.sampled_from(["https://example.org/hook"]),
            st.sampled_from(["instant", "digest", "both"]), st.sampled_from([None, "whsec_" + "a" * 32]),
            st.sampled_from(["0s", "90s", "5m"]), st.sampled_from([0, 60, 3600]), st.sampled_from(["30s", "1h"]),
        ),
        max_size=3, unique_by=lambda c: c.name,
    ).map(tuple),
    mute=st.lists(
        st.builds(
            MuteSpec, author=TEXTS.map(lambda text: f"x{text}"), thread=st.sampled_from(["", "t3_abc"]),
            until=st.sampled_from(["", "2030-01-01", "2030-01-01T12:00:00.5+02:00"]),
        ),
        max_size=2,
    ).map(tuple),
)  # fmt: skip


@pytest.mark.thorough
@settings(max_examples=120, deadline=None)
@given(st.lists(SPECS, max_size=3, unique_by=lambda spec: spec.slug))
def test_a_written_file_round_trips(specs: list[WorkspaceSpec]) -> None:
    try:
        tidy = [validated(spec) for spec in specs]
    except InvalidInput as error:
        assert "query" in str(error)  # not every text is a query  # noqa: PT017
        tidy = [validated(msgspec.structs.replace(spec, query=())) for spec in specs]
    text = write(tidy)
    assert read(text, "x") == tidy
    assert [validated(spec) for spec in tidy] == tidy


@pytest.mark.thorough
@settings(max_examples=120, deadline=None)
@given(st.lists(SPECS, max_size=3))
def test_every_key_of_a_written_file_is_found_in_its_line(specs: list[WorkspaceSpec]) -> None:
    text = write(specs)
    written = text.split("\n")
    lines = TomlLines(text)
    for position, table in enumerate(tomllib.loads(text).get("workspace", [])):
        rows = [((part, row), each) for part in PARTS for row, each in enumerate(table.get(part, []))]
        for path, content in [((), table), *rows]:
            for key in content.keys() - PARTS.keys() if not path else content:
                line = lines.of_workspace(position, (*path, key))
                assert line is not None
                assert written[line - 1].strip().startswith(f"{key} = ")


def test_an_export_is_a_file_that_people_can_read(tmp_path: Path) -> None:
    [spec] = read(EXAMPLE, "x")
    assert write([spec]).splitlines()[:8] == [
        "[[workspace]]", 'slug = "acme"', 'name = "Acme"', 'timezone = "Europe/Berlin"', 'every = "*/5 * * * *"',
        'digest = "0 9 * * *"', 'subreddits = ["python", "linux", "selfhosted"]', 'kinds = ["posts", "comments"]',
    ]  # fmt: skip
    assert "secret" not in write([spec])


def numbered(count: int, row: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**row, "name": f"n{number}"} for number in range(count)]


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"name": "x" * 1_000_000}, "name: 1,000,000 characters, 100 are allowed"),
        ({"slug": "x" * 1_000_000}, "lower-case letters, digits, - and _ only, at most 63"),
        ({"timezone": "x" * 1_000_000}, "timezone: 1,000,000 characters, 100 are allowed"),
        ({"every": "1," * 500_000 + "1 * * * *"}, "every: 1,000,009 characters"),
        ({"digest": "1" * 1_000_000}, "digest: 1,000,000 characters"),
        ({"subreddits": ["x" * 1_000_000]}, "cannot be the name of a subreddit"),
        ({"query": [{"name": "x" * 1_000_000, "text": "a"}]}, "a name of 1 to 100 characters"),
        ({"query": [{"name": "x", "text": "a" * 1_000_000}]}, "the query has 1,000,000 characters, 2,000 are allowed"),
        ({"channel": [{"name": "x", "url": "https://h/" + "x" * 1_000_000}]}, "channel 'x': url: 1,000,010 characters"),
        ({"channel": [{"name": "x", "url": "https://h/", "secret": "x" * 300}]}, "channel 'x': secret: 300 characters"),
        ({"x" * 1_000_000: 1}, "valid: slug, name, timezone, every, digest, quiet, working, subreddits, kinds, "),
        ({"channel": [{"name": "x", "adress": "https://h/"}]}, "channel 'x': unknown key 'adress'; valid: name, url"),
        ({"kinds": ["links"]}, "valid: posts, comments"),
    ],
)  # fmt: skip
def test_every_field_has_a_bound_and_no_message_repeats_a_longer_value(fields: dict[str, Any], hint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(change(**fields), "my.toml")
    assert hint in str(refused.value)
    assert len(str(refused.value)) < 1500


def test_several_mistakes_of_one_workspace_are_reported_at_once() -> None:
    text = change(slug="Acme", every="x", kinds=[], subreddits=["a b"], query=[{"name": "x", "text": "NOT a"}], quite=1)
    with pytest.raises(InvalidInput) as refused:
        read(text, "my.toml")
    fields = [line.split(": ")[3] for line in str(refused.value).splitlines() if line.startswith("my.toml: ")]
    assert fields == ["slug 'Acme'", "every", "subreddits", "kinds", "query 'x':", "unknown key 'quite'; valid"]


def test_of_very_many_mistakes_the_first_are_reported() -> None:
    with pytest.raises(InvalidInput) as refused:
        read(change(subreddits=[f"{n} {n}" for n in range(10_000)]), "my.toml")
    assert str(refused.value).splitlines()[-1] == "… and 9,800 more problems"


def test_a_workspace_beyond_a_limit_is_refused_before_its_parts_are_checked() -> None:
    queries = numbered(10_000, {"text": "NOT a"})
    with pytest.raises(InvalidInput) as refused:
        read(change(query=queries), "my.toml", check_limits=lambda spec: [f"queries: {len(spec.query)}"])
    assert str(refused.value) == "my.toml: line 1: workspace acme: queries: 10000"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("x = " + "[" * 100_000, "nested too deeply"),
        ("x = " + "[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("x = " + "{a = " * 100_000, "nested too deeply"),
        ("x" + ".x" * 100_000 + " = 1", "a key of more than 64 parts"),
        ("y = {" + "'x' . " * 100_000 + "x = 1}", "a key of more than 64 parts"),
        ("x = " + "9" * 5000, "too many digits"),
        ("x = 0000-00-00", "not valid TOML"),
        ("[[workspace]]\nslug." + "x." * 60 + "x = 1\nsubreddits = []", "slug"),
        (b"\xff\xfe", "not UTF-8 (byte 0)"),
        ("[[workspace]]\nkinds = [" + '"posts",' * 200_000 + "]\nsubreddits = []\nslug = 'a'", "subreddits"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_an_error_and_not_a_traceback(given: str | bytes, hint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(given, "my.toml")
    assert str(refused.value).startswith("my.toml: ")
    assert hint in str(refused.value)
    assert len(str(refused.value)) < 1500


HIDDEN_TEXT = "a\u202eb\U000e0041\U000e007f\ufeff\u200b\x7f\x85\u2028\u2066é\U0001f600 acme"


@pytest.mark.parametrize("ascii_only", [False, True])
def test_an_export_escapes_invisible_characters_and_loses_nothing(ascii_only: bool) -> None:
    [plain] = read(EXAMPLE, "x")
    query = QuerySpec(HIDDEN_TEXT, f"{HIDDEN_TEXT} acme")
    spec = validated(msgspec.structs.replace(plain, name=HIDDEN_TEXT, query=(query,)))
    text = write([spec], ascii_only=ascii_only)
    assert all(char == "\n" or char.isprintable() for char in text)
    assert text.isascii() == ascii_only
    assert read(text, "x") == [spec]


def test_the_regular_expressions_of_a_workspace_are_limited_together() -> None:
    def workspace(*texts: str) -> WorkspaceSpec:
        queries = tuple(QuerySpec(f"query {number}", text) for number, text in enumerate(texts))
        return WorkspaceSpec(slug="acme", subreddits=("python",), query=queries)

    large = "/(?:a[ab]{0,200}){1,3}c/"
    assert len(validated(workspace(large, large, large, large, "acme")).query) == 5
    with pytest.raises(InvalidInput, match=r"query 'query 5'.* 6,.* 5,000 are allowed"):
        validated(workspace("acme", large, large, large, large, f"{large} OR /x[yz]/"))
    with pytest.raises(InvalidInput, match="5,000 are allowed"):
        validated(workspace("/(?:a[ab]{0,99}){1,3}c/ -in:link"))


def test_a_query_without_an_expression_can_be_added_whatever_the_others_are() -> None:
    large = tuple(QuerySpec(f"query {number}", "/(?:a[ab]{0,200}){1,3}c/") for number in range(5))
    spec = WorkspaceSpec(slug="acme", subreddits=("python",), query=large)
    assert validated_query(spec, QuerySpec("plain", "acme")).text == "acme"
    with pytest.raises(InvalidInput, match="5,000 are allowed"):
        validated_query(spec, QuerySpec("another", "/acme\\d/"))


RULES = """
[[workspace]]
slug = "acme"
timezone = "Europe/Berlin"
quiet = "22:00-07:00"
working = "mon-fri 08:00-18:00"
subreddits = ["python"]
  [[workspace.query]]
  name = "brand"
  text = "acme"
  [[workspace.channel]]
  name = "team"
  url = "https://example.org/hook"
  mode = "both"
  min_gap = "10s"
  max_per_hour = 0
  summary_every = "5m"
  queries = ["brand"]
  [[workspace.mute]]
  query = "brand"
  author = "/u/AutoMod"
  place = "r/Python"
  thread = "https://old.reddit.com/r/Python/comments/1Abc2/a_title/?sort=new"
  until = "2026-12-31"
  [[workspace.mute]]
  author = "@Bot"
"""


def test_rules_are_read_as_people_write_them_and_written_as_they_are_stored() -> None:
    [spec] = read(RULES, "x")
    assert (spec.quiet, spec.working) == ("22:00-07:00", "mon-fri 08:00-18:00")
    assert spec.channel == (
        ChannelSpec("team", "https://example.org/hook", "both", None, "10s", 0, "5m", ("brand",)),
    )  # fmt: skip
    assert spec.mute == (
        MuteSpec("brand", "automod", "python", "t3_1abc2", "2026-12-30T23:00:00Z"),
        MuteSpec(author="bot"),
    )
    text = write([spec])
    assert read(text, "x") == [spec]
    assert 'queries = ["brand"]' in text
    assert "max_per_hour = 0" in text


def test_a_muted_place_is_the_one_that_is_watched() -> None:
    watches = (
        WatchSpec("replay", ("Notes",)),
        WatchSpec("reddit", ("Python",)),
        WatchSpec("stackexchange", ("dba/SQL",)),
    )
    places = ("r/Python", "NOTES", "https://dba.stackexchange.com/questions/tagged/sql")
    mute = tuple(MuteSpec(place=place) for place in places)
    spec = validated(WorkspaceSpec(slug="acme", watch=watches, mute=mute))
    assert [each.place for each in spec.mute] == ["python", "notes", "dba/sql"]
    assert validated(spec).mute == spec.mute


@pytest.mark.parametrize(
    ("old", "new", "line", "hint"),
    [
        ('slug = "acme"', 'slug = "Acme"', 3, "slug 'Acme'"),
        ('quiet = "22:00-07:00"', "quiet = 22", 5, "quiet: must be a text in quotes, not a whole number"),
        ('quiet = "22:00-07:00"', 'quiet = "22-7"', 5, "quiet: '22-7' is not a time of day"),
        ('quiet = "22:00-07:00"', 'quite = "22:00-07:00"', 5, "unknown key 'quite'; valid: slug, name"),
        ('working = "mon-fri 08', 'working = "mon-fry 08', 6, "working: 'fry' is not a day; valid: mon, tue"),
        ('"22:00-07:00"', '"07:00-19:00"', 5, "quiet, working: these hours leave no time"),
        ('["python"]', '["a b"]', 7, "subreddits: 'a b'"),
        ('text = "acme"', 'text = "NOT a"', 10, "query 'brand':"),
        ('  text = "acme"', "", 8, "query 'brand': text is missing"),
        ('"https://example.org/hook"', '"nonsense"', 13, "channel 'team': url"),
        ('mode = "both"', 'mode = "bth"', 14, "'bth' is not known; valid: instant, digest, both; did you mean both?"),
        ('mode = "both"', 'mod = "both"', 14, "channel 'team': unknown key 'mod'; valid: "),
        ('"10s"', '"10 seconds"', 15, "channel 'team': min_gap: '10 seconds' is not a span of time"),
        ("max_per_hour = 0", "max_per_hour = -1", 16, "max_per_hour: -1 is not in 0 "),
        ("max_per_hour = 0", "max_per_hour = 1.5", 16, "max_per_hour: must be a whole number, not a number with a"),
        ('queries = ["brand"]', 'queries = ["brnd"]', 18, "queries: there is no query 'brnd'; valid: brand; did you"),
        ('queries = ["brand"]', 'queries = "brand"', 18, "queries: must be a list in brackets, not a text in quotes"),
        ('query = "brand"', 'query = "brnd"', 20, "there is no query 'brnd'; valid: brand; did you mean brand?"),
        ('place = "r/Python"', 'place = "r/rust"', 22, "the workspace does not watch r/rust; it watches r/python"),
        ('place = "r/Python"', 'place = "All"', 22, "place: 'all' is not a place that can be muted"),
        ("https://old.reddit.com/r/Python/comments/1Abc2/a_title/?sort=new", "https://x/", 23, "give the thread's id"),
        ('until = "2026-12-31"', 'until = "soon"', 24, "until 'soon' is not a date or a time"),
        ('until = "2026-12-31"', "until = 2026-12-31", 24, "until: must be a text in quotes, not a date; put it into"),
        ('author = "@Bot"', "", 25, "mute: give at least one of query, author, place, thread"),
        ('author = "@Bot"', 'autor = "@Bot"', 26, "mute: unknown key 'autor'; valid: query, author, place, thread"),
    ],
)
def test_a_mistake_has_its_line_the_valid_values_and_a_guess(old: str, new: str, line: int, hint: str) -> None:
    assert RULES.count(old) == 1
    with pytest.raises(InvalidInput) as refused:
        read(RULES.replace(old, new), "my.toml")
    found = str(refused.value).splitlines()
    assert any(each.startswith(f"my.toml: line {line}: workspace ") and hint in each for each in found), found


def test_what_is_missing_or_wrong_hides_nothing_and_is_reported_once() -> None:
    text = """
[[workspace]]
slug = "Acme Corp"
timezone = "Europe/Berln"
kinds = ["post"]
quiet = 22
  [[workspace.watch]]
  places = ["r/python"]
  [[workspace.query]]
  name = "brand"
  places = ["r/rust"]
  [[workspace.query]]
  text = "acme AND"
  [[workspace.channel]]
  name = "team"
  queries = ["brnd"]
  min_gap = "often"
  [[workspace.channel]]
  url = "slak://x"
  [[workspace.mute]]
  query = "brnd"
  until = "soon"
"""
    with pytest.raises(InvalidInput) as refused:
        read(text, "my.toml")
    found = [line for line in str(refused.value).splitlines() if line.startswith("my.toml: ")]
    lines = [line.split(": ")[1] for line in found]
    assert "did you mean Europe/Berlin?" in found[1]
    assert "did you mean slack://?" in found[-1]
    assert lines == [f"line {number}" for number in (3, 4, 5, 6, 7, 9, 12, 13, 14, 17, 18, 19)], found


def test_a_watch_without_places_is_the_only_mistake_when_rules_name_places() -> None:
    watch = RULES.replace('subreddits = ["python"]', "subreddits = []") + '[[workspace.watch]]\nsource = "replay"\n'
    with pytest.raises(InvalidInput) as refused:
        read(watch, "my.toml")
    assert [line for line in str(refused.value).splitlines() if "place:" in line or "does not watch" in line] == []


def test_wrong_types_do_not_hide_other_mistakes() -> None:
    text = (
        RULES.replace('"10s"', "10").replace('"5m"', '"often"').replace('timezone = "Europe/Berlin"', 'timezone = "x"')
    )
    with pytest.raises(InvalidInput) as refused:
        read(text, "my.toml")
    assert [line.split(": ")[1] for line in str(refused.value).splitlines()] == ["line 4", "line 15", "line 17"]


TRAPS = r"""
# [[workspace]] "
[[workspace]] # another "
slug = "bolt"
name = '''
[[workspace]]
every = \'''
subreddits = [
  "python", # [[workspace]]
]
[[ workspace . query ]]
text = "acme"
name = '''
  [[workspace.channel]] '''# "
  [[workspace.channel]] # "
  name = "x"
"""


def test_what_looks_like_a_table_in_a_text_or_comment_does_not_count_as_one() -> None:
    with pytest.raises(InvalidInput) as refused:
        read(TRAPS.replace('"python"', '"a b"').replace('"acme"', '"acme"\nnam = 1'), "my.toml")
    assert [line.split(": ")[1] for line in str(refused.value).splitlines()] == ["line 8", "line 13", "line 16"]
    with pytest.raises(InvalidInput) as refused:
        read(TRAPS.replace('"python"', '"a b"').replace('name = "x"', 'name = "x"\nurl = "nonsense"'), "my.toml")
    assert [line.split(": ")[1] for line in str(refused.value).splitlines()] == ["line 8", "line 17"]
    with pytest.raises(InvalidInput, match=r"my.toml: line 3: unknown table 'workspaces'; it consists of"):
        read('[[workspace]]\nslug = "a"\n[[workspaces]]', "my.toml")


def test_a_part_in_another_form_has_the_line_around_it() -> None:
    with pytest.raises(InvalidInput, match=r"my.toml: line 3: workspace a: query 'x':"):
        read("[[workspace]]\nslug = 'a'\nquery = [{name = 'x', text = 'NOT a'}]\nsubreddits = ['b']", "my.toml")
    with pytest.raises(InvalidInput, match=r"my.toml: line 4: .*'channels'; valid: .*; did you mean channel\?"):
        read("[[workspace]]\nslug = 'a'\nsubreddits = ['b']\n[[workspace.channels]]\nname = 'x'", "my.toml")
    with pytest.raises(InvalidInput, match=r"my.toml: workspace a: every"):
        read("workspace = [{slug = 'a', every = 'x', subreddits = ['b']}]", "my.toml")
    with pytest.raises(InvalidInput, match=r"query: must be tables: write \[\[workspace.query\]\] for each"):
        read("[[workspace]]\nslug = 'a'\nquery = ['x']\nsubreddits = ['b']", "my.toml")
    with pytest.raises(InvalidInput, match=r"channel: must be tables: write \[\[workspace.channel\]\] for each"):
        read("[[workspace]]\nslug = 'a'\nchannel = ['x']\nsubreddits = ['b']", "my.toml")
    for part in ("watch", "query", "channel", "mute"):
        with pytest.raises(InvalidInput, match=rf"{part}: must be tables: write \[\[workspace.{part}\]\] for each"):
            read(f"[[workspace]]\nslug = 'a'\nsubreddits = ['b']\n{part} = [{{}}, 1]", "my.toml")


def test_names_beside_all_are_fine_for_what_all_does_not_read() -> None:
    posts_of_all = {"source": "reddit", "places": ["all"], "kinds": ["posts"]}
    replay = {"source": "replay", "places": ["all", "x"], "kinds": ["posts"]}
    text = change(subreddits=["python"], kinds=["comments"], watch=[posts_of_all, replay])
    [spec] = read(text, "my.toml")
    assert {(feed.source, feed.place) for feed in spec.feeds} == {
        ("reddit", "python"), ("reddit", "all"), ("replay", "all"), ("replay", "x"),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["u_Some-body", "u/Some-body", "/u/Some-body/", "user/Some-body"])
def test_a_profile_may_be_written_as_reddit_writes_it(text: str) -> None:
    assert names.check_place(text) == "u_Some-body"


@pytest.mark.parametrize("name", sorted(names.NOT_SUBREDDITS))
def test_what_reddit_makes_for_each_account_is_not_a_subreddit(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"r/{name} is not a subreddit: it shows .*; name subreddits, or all"):
        names.check_place(f"/r/{name.title()}/")
    assert names.check_place(f"{name}s") == f"{name}s"
