"""The configuration: pipeline.toml has its defaults, and every mistake is reported with file, key and hint."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from overheard.config import SECTIONS, Config, FetchSettings
from overheard.config.channels import SlackSettings
from overheard.config.loading import load
from overheard.errors import ConfigError
from overheard.workspaces.mutes import operator_rule

SHIPPED = Path(__file__).parents[2] / "pipeline.toml"
TABLES = {"client", "mute"}  # arrays of tables, which the shipped file only shows in a comment
KEYS = [(section, key) for section, table in SECTIONS.items() for key in table.model_fields if key not in TABLES]
SECRETS = [(section, key) for section, key in KEYS if SECTIONS[section].model_fields[key].annotation is SecretStr]


def variable(section: str, key: str) -> str:
    return f"OVERHEARD_{section.replace('.', '__')}__{key}".upper()


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Config]:
    def load_text(text: str, **environ: str) -> Config:
        path = tmp_path / "pipeline.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ)

    return load_text


@pytest.fixture
def refused(written: Callable[..., Config]) -> Callable[..., list[str]]:
    """Return the problems of a configuration that is refused."""

    def problems(text: str, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as error:
            written(text, **environ)
        return error.value.problems

    return problems


def test_the_shipped_file_is_the_defaults() -> None:
    assert load(SHIPPED, {}) == Config()


def test_the_shipped_file_has_every_key_in_the_order_of_the_code() -> None:
    keys = []
    for name, table in tomllib.loads(SHIPPED.read_text()).items():
        grouped = name in ("sources", "channels")
        inner = {f"{name}.{member}": each for member, each in table.items()} if grouped else {name: table}
        keys += [(section, key) for section, each in inner.items() for key in each]
    assert keys == KEYS


def test_every_key_of_the_shipped_file_is_explained() -> None:
    """A comment is above it, or above the keys just before it. (``threads`` needs no explanation.)"""
    explained = False
    for line in SHIPPED.read_text().splitlines():
        if line.startswith("#"):
            explained = True
        elif line.startswith("["):
            explained = False
        else:
            assert explained or line.partition(" ")[0] in ("", "threads"), line


def test_without_a_file_it_is_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Config()
    (tmp_path / "pipeline.toml").write_text("[tick]\ninterval = 9\n")
    assert load(None, {}).tick.interval == 9
    (tmp_path / "other.toml").write_text("[tick]\ninterval = 8\n")
    assert load(None, {"OVERHEARD_CONFIG": str(tmp_path / "other.toml")}).tick.interval == 8
    assert load(tmp_path / "pipeline.toml", {"OVERHEARD_CONFIG": "nowhere"}).tick.interval == 9


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.toml: no such file .*--config"):
        load(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})
    with pytest.raises(ConfigError, match="/dev/zero: larger than"):
        load(Path("/dev/zero"), {})
    with pytest.raises(ConfigError, match="cannot be read: /dev/zero: larger than"):
        load(None, {"OVERHEARD_REDDIT__CLIENT_SECRET_FILE": "/dev/zero"})


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("[tick\n", ["not valid TOML", "line 1"]),
        ("[tock]\n", ["there is no section [tock]", "Did you mean tick?", "Valid: bus, database, sources.reddit"]),
        ("tick = 5\n", ["tick must be a table", "[tick]"]),
        ("[tick]\nintervall = 5\n", ["[tick] intervall: unknown key", "Did you mean interval?", "jitter"]),
        ("[tick]\ninterval = \"5\"\n", ["[tick] interval:", "valid number", "(default: 5)"]),
        ("[tick]\ninterval = 0\n", ["[tick] interval:", "greater than 0"]),
        ("[tick]\ninterval = inf\n", ["[tick] interval:", "finite"]),
        ("[tick]\njitter = nan\n", ["[tick] jitter:"]),
        ("[tick]\ninterval = 1e12\n", ["[tick] interval:", "less than or equal to 3600"]),
        ("[limits]\nqueries = 0\n", ["[limits] queries:", "greater than or equal to 1", "(default: 10000)"]),
        ("[limits]\nchannels = 1000000000000\n", ["[limits] channels:", "less than or equal to 100000"]),
        ("x = " + "[" * 100_000, ["nested too deeply"]),
        ("[tick]\nbatch = " + "9" * 5000, ["too many digits"]),
        ("[notify]\nthreads = 100\n", ["[notify] threads:", "less than or equal to 64"]),
        ("[fetch]\nfresh_for = inf\n", ["[fetch] fresh_for:", "finite"]),
        ("[fetch]\nfresh_for = nan\n", ["[fetch] fresh_for:"]),
        ("[fetch]\nmax_pages = 11\n", ["[fetch] max_pages:", "less than or equal to 10"]),
        ("[fetch]\nthreads = true\n", ["[fetch] threads:", "valid integer"]),
        ("[fetch]\nthreads = 1.5\n", ["[fetch] threads:", "valid integer"]),
        ("[recheck]\nwithin_hours = 0\n", ["[recheck] within_hours:", "greater than 0"]),
        ("[recheck]\nwithin_hours = nan\n", ["[recheck] within_hours:"]),
        ("[recheck]\nshare = 0.9\n", ["[recheck] share:", "0.5", "(default: 0.05)"]),
        ("[notify]\nallow_private = 1\n", ["[notify] allow_private:", "boolean"]),
        ("[bus]\nurl = \"redis://x\"\n", ["[bus] url: must start with memory://, amqp:// or amqps://"]),
        ("[database]\nurl = \"mysql://x\"\n", ["[database] url: must start with sqlite:/// or postgresql://"]),
        ("[sources.reddit]\noauth_url = \"oauth.reddit.com\"\n", ["[sources.reddit] oauth_url: must start with http"]),
        ("[sources.redit]\n", ["there is no section [sources.redit]", "mean sources.reddit? Valid: sources.reddit"]),
        ("[sources.hackrnews]\n", ["no section [sources.hackrnews]", "mean sources.hackernews?"]),
        ("[sources]\nburst = 1\n", ["no section [sources.burst]", "Valid: sources.reddit, sources.hackernews"]),
        ("sources = 1\n", ["there is no section [sources]", "Valid: sources.reddit, sources.hackernews"]),
        ("[[sources.reddit]]\n", ["sources.reddit must be a table", "[sources.reddit]"]),
        ("[sources.reddit]\nbrst = 1\n", ["[sources.reddit] brst: unknown key", "Did you mean burst?"]),
        ("[sources.replay]\nspeed = -1\n", ["[sources.replay] speed:", "greater than or equal to 0", "(default: 1.0)"]),
        ("[sources.reddit]\nclient=[{client_id='a',clientid=5}]", ["[sources.reddit] client 1 clientid", "client_id?"]),
        ("[[sources.reddit.client]]\nclient_secret = \"s\"\n", ["[sources.reddit] client 1 client_id: Field required"]),
        ("[sources.reddit]\nclient = [5]\n", ["[sources.reddit] client 1: ", "dictionary"]),
        ("[log]\nlevel = \"LOUD\"\n", ["[log] level:", "'DEBUG'", "(default: 'INFO')"]),
        ("[metrics]\nport = 70000\n", ["[metrics] port:", "65000"]),
        ("[canary]\ninterval = 1\n", ["[canary] interval: must be 0 (off)", "2 seconds"]),
        ("[canary]\ninterval = 59\n", ["[canary] interval: must be 0 (off)", "[fetch] fresh_for (60)"]),
        ("[notify]\ntimeout = 55\n", ["[notify] lease: 60 must be more", "[notify] timeout (55) and 5 seconds"]),
        ("[notify]\nlease = 20\n", ["[notify] lease: 20 must be more", "[notify] timeout (20)"]),
        ("[[notify.mute]]\n", ["[notify] mute 1: give at least one of source, author, place and thread"]),
        ("[[notify.mute]]\nautor = \"x\"\n", ["[notify] mute 1 autor: unknown key. Did you mean author?"]),
        ("[[notify.mute]]\nsource = \"redit\"\n", ["[notify] mute 1: source: 'redit' is not known", "mean reddit?"]),
        ("[[notify.mute]]\nplace = \"all\"\n", ["[notify] mute 1: place: 'all' is not a place"]),
        ("[[notify.mute]]\nauthor = \"x\"\nuntil = \"soon\"\n", ["[notify] mute 1: until 'soon' is not a date"]),
        ("[channels.slak]\n", ["there is no section [channels.slak]", "mean channels.slack? Valid: channels.slack"]),
        ("[channels.slack]\nurl = \"slack.com\"\n", ["[channels.slack] url: must start with http:// or https://"]),
        ("[alerts]\nurl = \"slack\"\n", ["[alerts] url: must be a channel's address"]),
        ("[alerts]\nurl = \"https://h/\"\n", ["[alerts] secret:", "openssl rand"]),
        ("[alerts]\nurl = \"slack://h\"\nsecret = \"x\"\n", ["[alerts] secret:", "remove it"]),
    ],
)  # fmt: skip
def test_mistakes_are_reported_with_file_key_and_hint(
    refused: Callable[..., list[str]], text: str, hints: list[str]
) -> None:
    [problem] = refused(text)
    for hint in ["pipeline.toml: ", *hints]:
        assert hint in problem


def test_all_mistakes_are_reported_at_once(refused: Callable[..., list[str]]) -> None:
    assert len(refused("[tick]\nintervall = 5\n[tock]\n", OVERHEARD_TICK__X="1", OVERHEARD_FOO="1")) == 4
    assert len(refused("[tick]\ninterval = 0\njitter = -1\n[log]\nlevel = 5\n")) == 3


def test_another_address_of_slack_takes_what_bots_post_too() -> None:
    assert SlackSettings().api_url == "https://slack.com"
    assert SlackSettings(url="http://127.0.0.1:8085").api_url == "http://127.0.0.1:8085"


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_every_key_can_be_overridden_by_the_environment(written: Callable[..., Config], section: str, key: str) -> None:
    default = attrgetter(f"{section}.{key}")(Config())
    other = {
        ("bus", "url"): "amqp://h/v", ("database", "url"): "postgresql://h/d", ("log", "level"): "DEBUG",
        ("log", "format"): "json", ("sources.reddit", "reddit_url"): "http://x", ("sources.reddit", "oauth_url"): "http://y",
        ("sources.hackernews", "url"): "http://x", ("sources.hackernews", "search_url"): "http://x",
        ("sources.bluesky", "url"): "ws://x", ("sources.bluesky", "protocol"): "v1",
        ("sources.stackexchange", "url"): "http://x", ("channels.slack", "url"): "http://x",
        ("channels.discord", "url"): "http://x",
        ("channels.telegram", "url"): "http://x", ("channels.ntfy", "url"): "http://x",
        ("recheck", "share"): "0.25", ("notify", "lease"): "70",
        ("alerts", "url"): "json://h", ("fetch", "spare"): "save", ("fetch", "look_back"): "1h",
        ("canary", "interval"): "90",
    }.get((section, key))  # fmt: skip
    if other is None:
        other = (
            "90"
            if key == "interval"
            else "true"
            if default is False
            else "7"
            if isinstance(default, int | float)
            else "something"
        )
    config = written("", **{variable(section, key): other})
    value = attrgetter(f"{section}.{key}")(config)
    assert value != default
    shown = value.get_secret_value() if isinstance(value, SecretStr) else str(value).lower().removesuffix(".0")
    assert shown == other.lower() or shown == other


@pytest.mark.parametrize(
    ("variable", "text", "hints"),
    [
        ("OVERHEARD_TICK__INTERVAL", "soon", ["environment OVERHEARD_TICK__INTERVAL", "[tick] interval"]),
        ("OVERHEARD_TICK__INTERVAL", "-1", ["environment OVERHEARD_TICK__INTERVAL", "greater than 0"]),
        ("OVERHEARD_TICK__INTERVALL", "1", ["INTERVALL: [tick] intervall: unknown key", "mean interval?"]),
        ("OVERHEARD_TOCK__INTERVAL", "1", ["no such setting", "OVERHEARD_TICK__"]),
        ("OVERHEARD_TICK", "1", ["no such setting"]),
        ("OVERHEARD_TICK__INTERVAL_FILE", "/x", ["only secrets can be read from a file"]),
        ("OVERHEARD_BUS__URL_FILE", "/nowhere", ["OVERHEARD_BUS__URL_FILE", "cannot be read"]),
        ("OVERHEARD_BUS__NOTHING_FILE", "/dev/null", ["OVERHEARD_BUS__NOTHING_FILE: [bus] nothing: unknown key"]),
        ("OVERHEARD_REDDIT__BURST", "many", ["environment OVERHEARD_REDDIT__BURST", "[sources.reddit] burst"]),
        ("OVERHEARD_REDDIT__BRST", "1", ["OVERHEARD_REDDIT__BRST: [sources.reddit] brst: unknown key", "mean burst?"]),
        ("OVERHEARD_SOURCES__REDDIT", "1", ["no such setting", "OVERHEARD_SOURCES__REDDIT__"]),
        ("OVERHEARD_SOURCES__REDIT__BURST", "1", ["no such setting", "mean OVERHEARD_SOURCES__REDDIT__"]),
        ("OVERHEARD_SOURCES__REDDIT__CLIENT", "x", ["can only be given in the file, as [[sources.reddit.client]]"]),
    ],
)
def test_mistakes_in_the_environment_name_the_variable(
    refused: Callable[..., list[str]], variable: str, text: str, hints: list[str]
) -> None:
    [problem] = refused("", **{variable: text})
    for hint in hints:
        assert hint in problem


@pytest.mark.parametrize("text", ["hunter2", "amqp://u:hunter2@h/v", "/x://hunter2", "s3/hunter2", "\0hunter2", ""])
def test_a_secret_where_its_files_path_belongs_is_not_repeated(refused: Callable[..., list[str]], text: str) -> None:
    [problem] = refused("", OVERHEARD_BUS__URL_FILE=text)
    assert "cannot be read: *** (write a path that begins with /)" in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize("section", ["bus", "database"])
@pytest.mark.parametrize("password", ["hun/ter2", "hun?ter2", "hun#ter2", "hun@ter2", "12#hun@ter2"])
def test_a_password_with_an_unescaped_delimiter_is_refused(
    refused: Callable[..., list[str]], section: str, password: str
) -> None:
    scheme = {"bus": "amqp", "database": "postgresql"}[section]
    [problem] = refused(f'[{section}]\nurl = "{scheme}://me:{password}@h:1/d"')
    assert "write / ? # @ in a password as %2F %3F %23 %40" in problem
    assert "ter2" not in problem


def test_a_password_with_escaped_delimiters_is_accepted(written: Callable[..., Config]) -> None:
    for url in ("postgresql://me:a%2Fb%40@h:1/d?x=1", "postgresql:///d?host=/run", "postgres://h/d"):
        assert written(f'[database]\nurl = "{url}"').database.url.get_secret_value() == url
    assert written('[database]\nurl = "sqlite:////a@b/c@d.db"').database.embedded


def test_other_variables_are_ignored(written: Callable[..., Config]) -> None:
    assert written("", PATH="/bin", OVERHEARD_CORPUS="/x", OVERHEARD_CONFIG="/y", overheard_x="1") == Config()


@pytest.mark.parametrize(("section", "key"), SECRETS)
def test_a_secret_can_come_from_a_file(written: Callable[..., Config], tmp_path: Path, section: str, key: str) -> None:
    secret = {"bus": "amqp://u:hunter2@h/v", "database": "postgresql://u:hunter2@h/d"}.get(section, "hunter2")
    if (section, key) == ("alerts", "url"):
        secret = "json://hunter2@h/"
    file = tmp_path / "secret"
    file.write_text(f"{secret}\n")
    config = written("", **{f"{variable(section, key)}_FILE": str(file)})
    assert attrgetter(f"{section}.{key}")(config).get_secret_value() == secret
    assert "hunter2" not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"


def test_a_secret_given_twice_is_refused(refused: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("amqp://file/")
    for order in (1, -1):
        both = {"OVERHEARD_BUS__URL": "amqp://variable/", "OVERHEARD_BUS__URL_FILE": str(tmp_path / "secret")}
        [problem] = refused("", **dict(list(both.items())[::order]))
        assert "is set too" in problem


@pytest.mark.parametrize(
    "text",
    [
        '[bus]\nurl = "hunter2://x"',
        '[database]\nurl = "hunter2"',
        '[sources.reddit]\nclient_secret = 5\npassword = ["hunter2"]',
        '[reddit]\nclient_secret = 5\npassword = ["hunter2"]',
        '[[sources.reddit.client]]\nclient_id = "x"\nclient_secret = ["hunter2"]',
        '[sources.reddit]\nclient = ["hunter2"]',
        '[bus]\nurl = "amqp://u:hunter2@h"\nheartbeatt = 1',
        '[bus]\nurl = "amqp://hunter2',
        '[alerts]\nurl = "hunter2"\nsecret = 5',
        '[alerts]\nurl = "slack://hunter2"\nsecret = "hunter2"',
    ],
)
def test_no_error_shows_a_secret(refused: Callable[..., list[str]], text: str) -> None:
    assert "hunter2" not in "\n".join(refused(text))
    assert "hunter2" not in "\n".join(refused("", OVERHEARD_BUS__URL="hunter2", OVERHEARD_DATABASE__URL="hunter2"))


def test_every_secret_is_listed_here() -> None:
    names = " ".join(f"{section}.{key}" for section, key in SECRETS)
    assert names == (
        "bus.url database.url sources.reddit.client_secret sources.reddit.password sources.stackexchange.key alerts.url"
        " alerts.secret"
    )


def test_a_section_under_its_old_name_is_accepted_with_a_warning(written: Callable[..., Config]) -> None:
    config = written('[reddit]\nclient_id = "old"\nburst = 3\n')
    assert (config.sources.reddit.client_id, config.sources.reddit.burst) == ("old", 3)
    [warning] = config.deprecated
    assert "pipeline.toml: [reddit] is called [sources.reddit] now: rename it" in warning


@pytest.mark.parametrize("order", [1, -1])
def test_the_new_name_of_a_section_wins_over_the_old_one(written: Callable[..., Config], order: int) -> None:
    parts = ['[reddit]\nclient_id = "old"\nburst = 3\n', '[sources.reddit]\nclient_id = "new"\n']
    config = written("".join(parts[::order]))
    assert (config.sources.reddit.client_id, config.sources.reddit.burst) == ("new", 3)
    warnings = [line.partition("pipeline.toml: ")[2] for line in config.deprecated]
    assert warnings == [
        "[reddit] is called [sources.reddit] now: rename it",
        "[reddit] client_id is not used, as [sources.reddit] client_id is set: remove it",
    ]


def test_a_mistake_under_an_old_name_is_reported_with_the_new_one(refused: Callable[..., list[str]]) -> None:
    wrong, renamed = refused('[reddit]\nburst = "many"\n')
    assert "[sources.reddit] burst: " in wrong
    assert "[reddit] is called [sources.reddit] now" in renamed


def test_variables_with_the_old_name_keep_working_without_a_warning(
    written: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter2")
    config = written(
        "[reddit]\nburst = 3\n[sources.reddit]\ntimeout = 4\n",
        OVERHEARD_REDDIT__BURST="7",
        OVERHEARD_REDDIT__TIMEOUT="8",
        OVERHEARD_REDDIT__CLIENT_SECRET_FILE=str(tmp_path / "secret"),
    )
    reddit = config.sources.reddit
    assert (reddit.burst, reddit.timeout, reddit.client_secret.get_secret_value()) == (7, 8, "hunter2")
    assert len(config.deprecated) == 1, "the file's section"
    assert written("", OVERHEARD_REDDIT__BURST="7").deprecated == ()


@pytest.mark.parametrize("order", [1, -1])
def test_the_new_name_of_a_variable_wins_over_the_old_one(
    written: Callable[..., Config], tmp_path: Path, order: int
) -> None:
    (tmp_path / "secret").write_text("old")
    given = {
        "OVERHEARD_REDDIT__CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "OVERHEARD_SOURCES__REDDIT__CLIENT_SECRET": "new",
    }
    config = written("", **dict(list(given.items())[::order]))
    assert config.sources.reddit.client_secret.get_secret_value() == "new"
    old, new = given
    assert config.deprecated == (f"environment: {old} is not used, as {new} is set: unset it",)


def test_a_removed_key_is_ignored_with_a_warning(written: Callable[..., Config]) -> None:
    config = written("[fetch]\noverlap = 5\n", OVERHEARD_FETCH__OVERLAP="6")
    assert config.fetch == Config().fetch
    assert ["[fetch] overlap" in config.deprecated[0], "OVERHEARD_FETCH__OVERLAP" in config.deprecated[1]] == [True] * 2
    config = written('[bus]\nurl = "amqp://h/"\nheartbeat = 60\n', OVERHEARD_BUS__BLOCKED_TIMEOUT="9")
    assert config.bus.address == "amqp://h/"
    warnings = " ".join(config.deprecated)
    assert all(name in warnings for name in ("?heartbeat=", "?blocked_connection_timeout=", "[bus] url"))


@pytest.mark.parametrize("secret", ["", "whsec_of_an_earlier_release"])
def test_alerts_may_go_to_an_address_copied_from_a_chat(written: Callable[..., Config], secret: str) -> None:
    url = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    config = written(f'[alerts]\nurl = "{url}"\nsecret = "{secret}"\n')
    assert config.alerts.url.get_secret_value() == url


def test_several_clients_are_used_each_once(written: Callable[..., Config]) -> None:
    tables = "".join(f'[[sources.reddit.client]]\nclient_id = "{name}"\nclient_secret = "s"\n' for name in "ab")

    def ids(text: str, **environment: str) -> list[str]:
        return [client.client_id for client in written(text, **environment).sources.reddit.clients]

    assert ids("") == []
    assert ids('[sources.reddit]\nclient_id = "x"\n') == ["x"]
    assert ids(tables, OVERHEARD_REDDIT__CLIENT_ID="x") == ["a", "b", "x"]
    assert ids(tables, OVERHEARD_REDDIT__CLIENT_ID="a") == ["a", "b"], "its budget is one"


def test_the_defaults_run_in_one_process_and_servers_do_not() -> None:
    config = Config()
    assert (config.bus.embedded, config.database.embedded) == (True, True)
    config = load(SHIPPED, {"OVERHEARD_BUS__URL": "amqps://h/", "OVERHEARD_DATABASE__URL": "postgres://h/d"})
    assert (config.bus.embedded, config.database.embedded) == (False, False)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().tick.interval = 1  # type: ignore[misc]


def test_mutes_of_the_operator_are_written_as_people_write_names(written: Callable[..., Config]) -> None:
    file = '[[notify.mute]]\nsource = "reddit"\nauthor = "u/AutoModerator"\nplace = "r/Python"\nuntil = "2026-12-31"\n'
    config = written(file)
    [rule] = [operator_rule(mute) for mute in config.notify.mute]
    assert (rule.source, rule.author, rule.place) == ("reddit", "automoderator", "python")
    assert rule.until == datetime(2026, 12, 31, tzinfo=UTC).timestamp()
    assert rule.text == "the operator's, source reddit, author u/AutoModerator, place r/Python"


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800.0), ("1d", 86400.0), ("0", 0.0), ("0s", 0.0)])
def test_second_looks_may_be_turned_off(text: str, seconds: float) -> None:
    assert FetchSettings(look_back=text).look_back_seconds == seconds
    assert FetchSettings(look_back=text, spare="save").look_back_seconds == 0.0


@pytest.mark.parametrize("text", ["59s", "25h", "often", ""])
def test_a_look_back_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"span of time|must be from 1m to 1d"):
        FetchSettings(look_back=text)
