"""Plant a canary in the place of every secret, cause errors everywhere, and search every output for canaries.

Outputs: logs in both formats at level DEBUG, what commands print, /metrics and /healthz, the database except for the
columns of secrets, queues, the servers' own logs, and the arguments of processes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from overheard.channels.signing import new_secret
from overheard.config import SECTIONS
from overheard.db.models import TABLES, Channel, DeadLetter, RefreshDemand
from overheard.simulators.reddit import CLIENT_ID, RedditSimulator
from tests.servers.canaries import Canaries, Leak
from tests.servers.farm import ALL_STAGES, Farm
from tests.servers.forks import PYTHON, shared_forks
from tests.servers.listeners import listeners
from tests.servers.ports import free_ports
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.sink import Answer
from tests.servers.waiting import wait_for

ROOT = Path(__file__).parents[2]
ANSWERS = {
    "/missing": Answer(404, body=b"no such hook"),
    "/broken": Answer(500),
    "/moved": Answer(302, {"Location": "https://example.org/elsewhere"}),
    "/silent": Answer(fault="hang"),
    "/cut": Answer(fault="reset"),
    "/gone": Answer(410),
}


class Rig:
    """A farm where every secret is a canary; ``leaks`` are the canaries found in its output."""

    def __init__(self, canaries: Canaries, farm: Farm, rabbit: RabbitServer, postgres: PostgresServer) -> None:
        self.canaries, self.farm, self.rabbit, self.postgres = canaries, farm, rabbit, postgres
        self.leaks: list[Leak] = []
        self.searched = 0

    def search(self, where: str, text: str) -> str:
        self.searched += 1
        self.leaks += self.canaries.seen_in(text, where)
        return text

    def run(self, *args: str, module: str = "overheard.cli", **more: str) -> subprocess.CompletedProcess[str]:
        """Run one of our programs to its end, and search what it prints."""
        environ = self.farm.environment | {"PYTHONPATH": str(ROOT)} | more
        done = shared_forks().run(module, *args, env=environ, cwd=self.farm.folder, timeout=180)
        self.search(f"{module} {' '.join(args)} {sorted(more)}", done.stdout + done.stderr)
        return done

    def pages(self) -> None:
        """Search /metrics and /healthz of every process."""
        for name, process in self.farm.processes.items():
            for listener in listeners([process.pid]):
                for page in ("metrics", "healthz"):
                    self.search(f"{name} /{page}", fetched(f"http://127.0.0.1:{listener.port}/{page}"))

    def arguments(self) -> None:
        """Search the arguments of all processes, which every user of the machine can read."""
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.search(str(entry), entry.read_text(errors="replace"))
            except OSError:
                continue  # it has ended

    def rows(self) -> None:
        """Search all rows, except for the columns of secrets."""
        for table in TABLES:
            hidden = ("url", "secret") if table is Channel else ()
            columns = [field for field in table._meta.sorted_fields if field.name not in hidden]
            with self.farm.db.session():
                for row in table.select(*columns).dicts().execute(self.farm.db.peewee):
                    self.search(f"table {table.__name__}", repr(row))
                self.farm.db.release()

    def logs(self) -> None:
        """Search the logs of our processes and of the servers."""
        for path in (*self.farm.folder.glob("*.log"), self.rabbit._log, self.postgres._log):
            self.search(path.name, path.read_text(errors="replace"))
        for path in (self.rabbit.home / "log").glob("*.log"):
            self.search(path.name, path.read_text(errors="replace"))


def fetched(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return f"{answer.headers}\n{answer.read().decode()}"
    except urllib.error.HTTPError as refused:
        with refused:
            return f"{refused.headers}\n{refused.read().decode()}"


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path, rabbit_server: RabbitServer, rabbit_url: str) -> Iterator[Rig]:
    canaries = Canaries()
    postgres: PostgresServer = request.getfixturevalue("postgres_server")
    database = login(postgres, request.getfixturevalue("postgresql_url"), canaries.plant("database password"))
    bus = user(rabbit_server, rabbit_url, canaries.plant("bus password"))
    secret, password = canaries.plant("reddit client_secret"), canaries.plant("reddit password")
    reddit = RedditSimulator(clients={CLIENT_ID: secret}, users={"canary": password}, requests_per_minute=6000)
    settings = {
        "REDDIT__CLIENT_SECRET": secret,
        "REDDIT__USERNAME": "canary",
        "SOURCES__STACKEXCHANGE__KEY": canaries.plant("stackexchange key"),
        "REDDIT__PASSWORD": password,
        "LOG__LEVEL": "DEBUG",
        "NOTIFY__TIMEOUT": "1",
    }
    farm = Farm(tmp_path, bus=bus, database=database, simulator=reddit, fresh=True, **settings)
    secrets_of(farm, canaries)
    with farm:
        farm.sink.always = lambda request: ANSWERS.get(f"/{request.path.split('/')[1]}", Answer())
        yield Rig(canaries, farm, rabbit_server, postgres)
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute("ALTER ROLE canary NOLOGIN")


def secrets_of(farm: Farm, canaries: Canaries) -> None:
    """Plant the canaries of [alerts]; fail if the configuration has a secret without a canary."""
    planted = {"bus.url", "database.url", "alerts.url", "alerts.secret"}
    planted |= {"sources.reddit.client_secret", "sources.reddit.password", "sources.stackexchange.key"}
    fields = {
        f"{section}.{key}"
        for section, table in SECTIONS.items()
        for key, field in table.model_fields.items()
        if field.annotation is SecretStr
    }
    assert fields <= planted, f"plant a canary for {fields - planted}"
    farm.settings["ALERTS__URL"] = f"{farm.sink.url}/missing/{canaries.plant('alerts url')}"
    farm.settings["ALERTS__SECRET"] = canaries.known("alerts secret", new_secret())
    farm.settings["ALERTS__ALLOW_PRIVATE"] = "true"


def login(postgres: PostgresServer, url: str, password: str) -> str:
    """Return the URL of the same database, for a role with this password."""
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        if not admin.execute("SELECT FROM pg_roles WHERE rolname = 'canary'").fetchone():
            admin.execute("CREATE ROLE canary IN ROLE overheard")
        admin.execute(sql.SQL("ALTER ROLE canary LOGIN PASSWORD {}").format(password))
    parts = urlsplit(url)
    return f"postgresql://canary:{password}@{parts.hostname}:{parts.port}{parts.path}"


def user(rabbit: RabbitServer, url: str, password: str) -> str:
    """Return the URL of the same vhost, for a user with this password."""
    vhost = urlsplit(url).path[1:]
    rabbit.api("PUT", "/users/canary", {"password": password, "tags": ""})
    rabbit.api("PUT", f"/permissions/{vhost}/canary", {"configure": ".*", "write": ".*", "read": ".*"})
    return f"amqp://canary:{password}@127.0.0.1:{rabbit.port}/{vhost}"


def channels(farm: Farm, canaries: Canaries) -> dict[str, str]:
    """Return channels of many kinds, one that works and many that cannot: name → URL."""
    http = farm.sink.url
    (closed,) = free_ports(1)

    def secret(name: str) -> str:
        return canaries.plant(f"channel {name}")

    urls = {
        "works": f"{http}/fine/{secret('path')}?token={secret('query')}",
        **{path[1:]: f"{http}{path}/{secret(path)}?key={secret(f'{path} query')}" for path in ANSWERS},
        "tls": f"https://127.0.0.1:{farm.sink.port}/{secret('tls')}",
        "nobody": f"http://127.0.0.1:{closed}/{secret('nobody')}",
        "nowhere": f"https://nowhere.invalid/{secret('nowhere')}",
        "slack": f"slack://T1JJ3T3L2/A1BRTD4JD/{secret('slack')}/#general",
        "discord": f"discord://123456789012345678/{secret('discord')}",
        "telegram": f"tgram://123456789:{secret('telegram')}/1234",
        "mail": f"mailto://me:{secret('mail')}@127.0.0.1:{closed}?to=you@example.org&from=me@example.org",
    }
    for path in ("missing", "broken", "moved", "silent", "cut"):
        urls[f"json {path}"] = (
            f"json://me:{secret(f'json {path} login')}@127.0.0.1:{farm.sink.port}/{path}/{secret(f'json {path}')}"
            f"?+X-Token={secret(f'json {path} header')}&-q={secret(f'json {path} argument')}"
        )
    return urls


def imported(rig: Rig) -> dict[str, str]:
    """Import a workspace with all of the channels; return their URLs."""
    urls = channels(rig.farm, rig.canaries)
    text = '[[workspace]]\nslug = "acme"\nsubreddits = ["python"]\nevery = "2s"\n'
    text += '[[workspace.query]]\nname = "q"\ntext = "needle"\n'
    for name, url in urls.items():
        text += f'[[workspace.channel]]\nname = "{name}"\nurl = "{url}"\n'
        if url.startswith("http"):
            text += f'secret = "whsec_{rig.canaries.plant(f"signing {name}")}AAAAAAAA"\n'
    (rig.farm.folder / "workspaces.toml").write_text(text)
    rig.farm.simulator.set_subreddit("python", "public")
    done = rig.run("import", "workspaces.toml")
    assert done.returncode == 0, done.stderr
    return urls


@pytest.mark.timeout(600)
def test_no_output_contains_a_secret_whatever_goes_wrong(rig: Rig) -> None:
    farm = rig.farm
    urls = imported(rig)
    farm.everything()
    farm.settings["LOG__FORMAT"] = "text"
    farm.actors(*ALL_STAGES, name="in text")  # side by side with those that log JSON
    farm.wait(lambda: all(listeners([process.pid]) for process in farm.processes.values()))
    rig.pages()
    farm.wait(lambda: farm.scalar(RefreshDemand.select(RefreshDemand.served_at)) > 0)
    farm.post(3)
    failing = Channel.select(Channel.id).where(
        Channel.failing_since.is_null(False) | Channel.disabled_at.is_null(False)
    )
    farm.wait(lambda: count(farm, failing) == len(urls) - 1, lambda: f"{count(farm, failing)} channels fail", 120)
    rig.arguments()
    assert_the_canaries_are_where_they_belong(rig)

    know_tokens(rig, "first access token")
    publish_malformed(rig)
    rig.run("trigger", "acme", "--wait")  # while Reddit is well: after its page for the blocked, a feed waits a minute
    break_reddit(rig)
    commands(rig)
    rig.rows()
    rig.pages()
    lock_out(rig)
    rig.logs()
    assert rig.searched > 100
    assert not rig.leaks, "\n".join(f"{leak.secret} in {leak.where}: …{leak.around}…" for leak in rig.leaks)


def count(farm: Farm, query: Any) -> int:
    with farm.db.session():
        number = int(query.count(farm.db.peewee))
        farm.db.release()
    return number


def assert_the_canaries_are_where_they_belong(rig: Rig) -> None:
    """Receivers got them, in Basic authentication too, and ``export --secrets`` has them: the search works."""
    sent = "\n".join(f"{each.path} {each.headers}" for each in rig.farm.sink.wait_for(0))
    seen = {leak.secret for leak in rig.canaries.seen_in(sent, "the receiver")}
    assert {"channel path", "channel query", "channel json missing login", "channel json missing header"} <= seen
    command = [*PYTHON, "overheard.cli", "export", "--secrets"]
    environ = rig.farm.environment | {"PYTHONPATH": str(ROOT)}
    whole = subprocess.run(command, env=environ, cwd=rig.farm.folder, capture_output=True, text=True, check=True)
    seen = {leak.secret for leak in rig.canaries.seen_in(whole.stdout, "export")}
    assert {"channel slack", "channel mail", "signing works"} <= seen


def break_reddit(rig: Rig) -> None:
    reddit = rig.farm.simulator
    know_tokens(rig, "access token")
    reddit.expire_tokens()
    faults = reddit.faults
    faults.html(status=403, times=1)
    faults.fail(401, times=2)
    faults.fail(500, times=1)
    faults.reset(times=1)
    faults.truncate(times=1)
    asked = reddit.counts()["total"]
    reddit.wait_for_requests(asked + 10)
    know_tokens(rig, "later access token")


def know_tokens(rig: Rig, name: str) -> None:
    tokens = list(rig.farm.simulator._tokens._holders)
    assert tokens
    for number, token in enumerate(tokens):
        rig.canaries.known(f"{name} {number}", token)


def publish_malformed(rig: Rig) -> None:
    """Cause dead letters of every origin, and channels that cannot be opened."""
    farm = rig.farm
    with pika.BlockingConnection(pika.URLParameters(farm.bus)) as connection:
        channel = connection.channel()
        channel.basic_publish("overheard.events", "workspace.due", b"rubbish")
        channel.basic_publish("overheard.events", "workspace.deu", b"{}")
        channel.basic_publish("", "notify", b"rubbish")
    farm.wait(lambda: count(farm, DeadLetter.select()) >= 3, seconds=60)
    with farm.db.session():
        # What no command accepts, but a table may contain: an unusable secret and unusable addresses.
        for name, values in (
            ("broken", {"secret": f"not base64 {rig.canaries.plant('bad secret')}"}),
            ("slack", {"url": f"slack:{rig.canaries.plant('bad address')}"}),
            ("discord", {"url": f"http://[{rig.canaries.plant('bad host')}/{rig.canaries.plant('bad path')}"}),
        ):
            Channel.update(values).where(Channel.name == name).execute(farm.db.peewee)
        farm.db.release()
    disabled = Channel.select().where(
        Channel.name.in_(("broken", "slack", "discord")), Channel.disabled_at.is_null(False)
    )
    farm.wait(lambda: count(farm, disabled) == 3, lambda: f"{count(farm, disabled)} are disabled", 90)


def commands(rig: Rig) -> None:
    exported = rig.run("export")
    assert exported.returncode == 0
    (rig.farm.folder / "exported.toml").write_text(exported.stdout)
    again = rig.run("import", "exported.toml")
    assert again.returncode != 0
    assert "left out when it was exported" in again.stderr
    for name in ("missing", "moved", "nobody", "telegram", "mail", "json broken", "broken"):
        rig.run("channel", "test", "acme", name)
    for listing in (
        *("status", "channel list", "dead list", "dead show 1", "workspace show acme"),
        *("deliveries list", "deliveries list --state failed", "why acme"),
    ):
        rig.run(*listing.split())
        rig.run(*listing.split(), "--format", "json")
    rig.run("check")
    rig.run("trigger", "acme")
    rig.run("dead", "replay", "--all")
    rig.run("migrate")


def lock_out(rig: Rig) -> None:
    """Change the passwords under running processes, then run commands and start a process without a login."""
    farm = rig.farm
    environ = {"OVERHEARD_BUS__URL": farm.bus, "OVERHEARD_DATABASE__URL": farm.database}
    # RabbitMQ's first: what cannot reach the database asks RabbitMQ for nothing.
    rig.rabbit.api("PUT", "/users/canary", {"password": "another", "tags": ""})
    rig.rabbit.ctl("close_all_user_connections", "canary", "its password was changed")
    wait_for(lambda: "refuses the login" in farm.log("ingress"), "a refused login to RabbitMQ", 60)
    with psycopg.connect(rig.postgres.url, autocommit=True) as admin:
        admin.execute("ALTER ROLE canary PASSWORD 'another'")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'canary'")
    wait_for(lambda: "password authentication failed" in farm.log("actors"), "a refused login to PostgreSQL", 60)
    rig.pages()
    for args in ("status", "check --format json", "migrate", "export"):
        assert rig.run(*args.split(), **environ).returncode != 0
    farm.actors("fetch", name="late")
    farm.wait(lambda: "waiting for the database" in farm.log("late"))


# Mistakes of an operator


RunPrograms = Callable[..., str]


@pytest.fixture
def output_of(tmp_path: Path) -> RunPrograms:
    """Run our programs with these variables and this pipeline.toml; return what they print."""

    def run(*commands: str, toml: str = "", **environ: str) -> str:
        (tmp_path / "pipeline.toml").write_text(toml)
        base = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
        environ = base | {"OVERHEARD_LOG__LEVEL": "DEBUG", "OVERHEARD_METRICS__PORT": "0"} | environ
        return "".join(printed(command, environ, tmp_path) for command in commands)

    return run


def printed(command: str, environ: dict[str, str], folder: Path) -> str:
    """Return what a program printed until it gave up, or logged that it waits."""
    output = folder / command.replace(" ", "-")
    with output.open("w") as file:
        process = shared_forks().start(command.split(), env=environ, cwd=folder, output=file)
    try:
        wait_for(lambda: process.poll() is not None or WAITS.search(output.read_text()), command, 90)
        assert process.poll() != 0, output.read_text()
    finally:
        process.kill()
        process.wait()
    text = output.read_text()
    assert not re.search("^Traceback", text, re.MULTILINE), text
    return text


WAITS = re.compile("the bus cannot be reached yet|waiting for the database")
BROKEN_FILES = {
    "not TOML, on the secret's line": '[sources.reddit]\nclient_secret = "{}\n',
    "no quotes": "[sources.reddit]\nclient_secret = {}\n",
    "twice": '[sources.reddit]\nclient_secret = "{0}"\nclient_secret = "{0}"\n',
    "of the wrong type": '[sources.reddit]\nclient_secret = ["{}"]\n',
    "in the wrong section": '[bus]\nclient_secret = "{}"\n',
    "a key that does not exist": '[sources.reddit]\nclient_sercet = "{}"\n',
    "beside another mistake": '[sources.reddit]\nclient_secret = "{}"\ntimeout = "soon"\n',
    "a table where a value belongs": '[sources.reddit.client_secret]\nvalue = "{}"\n',
    "no table": 'bus = "amqp://u:{}@h/"\n',
}
BROKEN_URLS = {
    "OVERHEARD_BUS__URL": (
        "ampq://u:{}@h/", "amqp://u:{}@h:port/", "amqp://u:{}@h:99999/", "amqp://u:x/{}@h/", "amqp://u:x#{}@h/",
        "amqp://u:x?{}@h/", "amqp://u:{}@[h/", "amqp://u:{}@h/?heartbeat={}", "amqp://u:{}@127.0.0.1:1/v", "{}",
    ),
    "OVERHEARD_DATABASE__URL": (
        "postgre://u:{}@h/d", "postgresql://u:{}@h:port/d", "postgresql://u:{}@h", "postgresql://u:x/{}@h/d",
        "postgresql://u:x@{}@h/d", "postgresql://u:x%zz{}@h/d", "postgresql://u:x?{}@h/d", "postgresql://u:{}@127.0.0.1:1/d",
        "postgresql://127.0.0.1:1/d?user=u&password={}", "postgresql://u:{}@h/d?passwrd={}", "{}",
    ),
    "OVERHEARD_BUS__URL_FILE": ("{}", "amqp://u:{}@h/"),
    "OVERHEARD_REDDIT__CLIENT_SECRET_FILE": ("{}",),
    "OVERHEARD_REDDIT__CLIENT_SERCET": ("{}",),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN_FILES)
def test_a_broken_file_is_explained_without_its_secret(output_of: RunPrograms, fault: str) -> None:
    canaries = Canaries()
    toml = BROKEN_FILES[fault].replace("{}", "{0}").replace("{0}", canaries.plant(fault))
    assert canaries.seen_in(output_of("overheard.cli check", toml=toml), fault) == []


@pytest.mark.parametrize(("variable", "text"), [(name, text) for name, texts in BROKEN_URLS.items() for text in texts])
def test_a_broken_url_is_explained_without_its_secret(output_of: RunPrograms, variable: str, text: str) -> None:
    canaries = Canaries()
    environ = {variable: text.replace("{}", canaries.plant(text))}
    assert canaries.seen_in(output_of("overheard.cli check", **environ), variable) == []


@pytest.mark.parametrize("section", ["BUS", "DATABASE"])
def test_a_server_that_does_not_answer_is_named_without_its_password(output_of: RunPrograms, section: str) -> None:
    canaries = Canaries()
    scheme = {"BUS": "amqp", "DATABASE": "postgresql"}[section]
    environ = {f"OVERHEARD_{section}__URL": f"{scheme}://u:{canaries.plant(section)}@127.0.0.1:1/d"}
    output = output_of("overheard.cli status", "overheard.cli run", "actors notify", **environ)
    assert canaries.seen_in(output, section) == []


BROKEN_CHANNELS = (
    "https://u:{}@h/", "https://h/{}#x", "https://h/a b{}", "https://h:port/{}", "ftp://h/{}", "slack:/{}", "slack://{}",
    "{}", "mailto://{}", "discord://{}", "tgram://{}/x", "json://u:{}@127.0.0.1:0/{}", "syslog://{}", "http://[::1/{}",
    "https://127.0.0.1/{}", "mailto://u:{}@example.org?template=/etc/passwd",
)  # fmt: skip
BROKEN_FORMS = ('url = "URL"', 'url = "URL"\nsecret = "SECRET"', 'url = "URL"\nmode = "SECRET"', 'url = ["URL"]',
               'ulr = "URL"', 'url = "https://h/"\nsecret = "SECRET"')  # fmt: skip
NO_TOML = (
    '[[workspace.channel]]\nurl = "URL',
    "[[workspace.channel]]\nurl = URL",
    'x = "URL"\nx = "SECRET"',
    'workspace = "URL"',
)


def test_channels_that_are_refused_are_explained_without_their_addresses(tmp_path: Path) -> None:
    canaries = Canaries()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "OVERHEARD_LOG__LEVEL": "DEBUG",
    }

    def written(form: str, url: str) -> str:
        secret = f"whsec_{canaries.plant(f'secret of {url} in {form}')}"
        return form.replace("URL", url.replace("{}", canaries.plant(f"{url} in {form}"))).replace("SECRET", secret)

    many = ""
    for number, (url, form) in enumerate((url, form) for url in BROKEN_CHANNELS for form in BROKEN_FORMS):
        many += f'[[workspace]]\nslug = "w{number}"\nsubreddits = ["python"]\n[[workspace.channel]]\nname = "team"\n'
        many += f"{written(form, url)}\n"
    for text in (many, *(written(form, "slack://{}") for form in NO_TOML)):
        done = subprocess.run(
            [*PYTHON, "overheard.cli", "import", "-"], env=environ, cwd=tmp_path, input=text, text=True,
            capture_output=True, timeout=90,
        )  # fmt: skip
        assert not re.search("^Traceback", done.stderr, re.MULTILINE), done.stderr
        assert done.returncode != 0, text
        assert canaries.seen_in(done.stdout + done.stderr, text[:60]) == []
        if text is many:
            refused = set(re.findall(r"workspace (w\d+):", done.stderr))
            assert len(refused) == len(BROKEN_CHANNELS) * len(BROKEN_FORMS)


CRASH = """
import os
from overheard import process
from overheard.observability import log
from overheard.sources.reddit.source import open_source

running = process.start(None, os.environ)
config = running.config
log.get_logger("overheard").warning("what it holds", config=config, bus=config.bus, reddit=config.sources.reddit)
print(config, repr(config), f"{config.database!r}", config.model_dump(), config.model_dump_json())
source = open_source(config, running.metrics)
print(source, vars(source))
try:
    config.sources.reddit.missing
except AttributeError:
    log.get_logger("overheard").exception("it broke")
raise RuntimeError(config)
"""


@pytest.mark.parametrize("format", ["json", "text"])
def test_a_crash_shows_no_secret(tmp_path: Path, format: str) -> None:
    canaries = Canaries()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "OVERHEARD_LOG__LEVEL": "DEBUG",
        "OVERHEARD_LOG__FORMAT": format,
        "OVERHEARD_BUS__URL": f"amqp://u:{canaries.plant('bus')}@h/",
        "OVERHEARD_DATABASE__URL": f"postgresql://u:{canaries.plant('database')}@h/d",
        "OVERHEARD_REDDIT__CLIENT_ID": "x",
        "OVERHEARD_REDDIT__USER_AGENT": "linux:x:1 (by /u/x)",
        "OVERHEARD_REDDIT__CLIENT_SECRET": canaries.plant("client_secret"),
        "OVERHEARD_REDDIT__USERNAME": "x",
        "OVERHEARD_REDDIT__PASSWORD": canaries.plant("password"),
    }
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", CRASH],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "RuntimeError" in done.stderr
    assert "it broke" in done.stderr
    assert "**********" in done.stdout
    assert canaries.seen_in(done.stdout + done.stderr, "the crash") == []
