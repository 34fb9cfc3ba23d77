"""The configuration: ``pipeline.toml``, overridden by ``OVERHEARD_<SECTION>__<KEY>`` and, for secrets, ``…_FILE``.

Every fault is reported at once, each with file, key and a hint; nothing is guessed and nothing is ignored.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError, field_validator

from overheard.credentials import check_login, read_secret
from overheard.errors import ConfigError, InvalidInput
from overheard.input_files import open_input, parse_toml, read_to_limit

PREFIX = "OVERHEARD_"
FILE_SUFFIX = "_FILE"
# Variables of ours that are no keys: where the configuration is, and where tests find the corpus.
RESERVED = {"OVERHEARD_CONFIG", "OVERHEARD_CORPUS"}

# What is beyond these bounds is a slip of the pen: a timer or a thread pool would fail on it, later and darkly.
YEAR = 31_536_000
Positive = Annotated[int, Field(gt=0, le=100_000)]
Threads = Annotated[int, Field(gt=0, le=64)]
Seconds = Annotated[float, Field(gt=0, le=YEAR, allow_inf_nan=False)]
Soon = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Days = Annotated[int, Field(ge=0, le=36_500)]

FILE_MAX_BYTES = 1 << 20
LEASE_MARGIN = 5.0  # seconds of [notify] lease that must be left when a try has taken its whole [notify] timeout


class Section(BaseModel):
    """A table of pipeline.toml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Bus(Section):
    url: SecretStr = SecretStr("memory://")
    heartbeat: Annotated[int, Field(ge=5, le=600)] = 30
    blocked_timeout: Annotated[int, Field(ge=5, le=600)] = 30

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("memory://", "amqp://", "amqps://")):
            raise ValueError("must start with memory://, amqp:// or amqps://")
        check_login(value.get_secret_value())
        return value

    @property
    def address(self) -> str:
        """The URL with the heartbeat and the timeout in it; what the URL says itself counts. Secret."""
        url = self.url.get_secret_value()
        if self.embedded:
            return url
        base, _, given = url.partition("?")
        settings = {"heartbeat": self.heartbeat, "blocked_connection_timeout": self.blocked_timeout}
        return f"{base}?{urlencode({**settings, **dict(parse_qsl(given))})}"

    @property
    def embedded(self) -> bool:
        """Whether all stages must live in one process."""
        return self.url.get_secret_value().startswith("memory://")


class Database(Section):
    url: SecretStr = SecretStr("sqlite:///overheard.db")

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        if not value.get_secret_value().startswith("sqlite:///"):
            check_login(value.get_secret_value())
        return value

    @property
    def embedded(self) -> bool:
        """Whether it is SQLite, which migrates itself."""
        return self.url.get_secret_value().startswith("sqlite:///")


class Reddit(Section):
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    username: str = ""
    password: SecretStr = SecretStr("")
    user_agent: str = ""
    reddit_url: str = "https://www.reddit.com"
    oauth_url: str = "https://oauth.reddit.com"
    requests_per_minute: Annotated[int, Field(gt=0, le=6000)] = 95
    burst: Positive = 5
    timeout: Soon = 15

    @field_validator("reddit_url", "oauth_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")


class Tick(Section):
    interval: Soon = 5
    jitter: Annotated[float, Field(ge=0, le=3600)] = 10
    batch: Positive = 500
    sweep_after: Seconds = 60


class Fetch(Section):
    threads: Threads = 4
    fresh_for: Annotated[float, Field(ge=0, le=YEAR, allow_inf_nan=False)] = 60
    group_size: Annotated[int, Field(gt=0, le=200)] = 50
    max_pages: Annotated[int, Field(gt=0, le=10)] = 10
    lease: Seconds = 120
    longest_backoff: Seconds = 86400


class Match(Section):
    threads: Threads = 1


class Store(Section):
    threads: Threads = 2


class Notify(Section):
    threads: Threads = 8
    allow_private: bool = False
    timeout: Soon = 20
    per_minute: Positive = 60
    burst: Positive = 20
    batch: Positive = 10
    lease: Seconds = 60
    give_up_after: Seconds = 432000


class Digest(Section):
    threads: Threads = 1


class Recheck(Section):
    threads: Threads = 1
    within_hours: Annotated[float, Field(gt=0, le=720)] = 24
    batch: Annotated[int, Field(gt=0, le=100)] = 5
    share: Annotated[float, Field(ge=0.01, le=0.5)] = 0.05


class Limits(Section):
    """How much one workspace may have."""

    queries: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    feeds: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    channels: Annotated[int, Field(ge=1, le=100_000)] = 500
    triggers_per_hour: Annotated[int, Field(ge=1, le=1_000_000)] = 3600


class Metrics(Section):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65000)] = 9400


class Retention(Section):
    items_days: Days = 0
    mentions_days: Days = 90
    deliveries_days: Days = 30
    dead_letters_days: Days = 90


class Canary(Section):
    interval: Annotated[int, Field(ge=0, le=86400)] = 0

    @field_validator("interval")
    @classmethod
    def _schedule(cls, value: int) -> int:
        if value == 1:
            raise ValueError("must be 0 (off), or at least 2 seconds")
        return value


class Alerts(Section):
    url: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")
    every: Annotated[int, Field(ge=1, le=86400)] = 300
    allow_private: bool = False

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and "://" not in value.get_secret_value():
            raise ValueError("must be a channel's address: https://… (a signed webhook), or Apprise's (slack://…)")
        return value


class Log(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "text", "json"] = "auto"


class Config(Section):
    """All of it. Attributes are the tables of pipeline.toml."""

    bus: Bus = Bus()
    database: Database = Database()
    reddit: Reddit = Reddit()
    tick: Tick = Tick()
    fetch: Fetch = Fetch()
    match: Match = Match()
    store: Store = Store()
    notify: Notify = Notify()
    digest: Digest = Digest()
    recheck: Recheck = Recheck()
    limits: Limits = Limits()
    metrics: Metrics = Metrics()
    retention: Retention = Retention()
    canary: Canary = Canary()
    alerts: Alerts = Alerts()
    log: Log = Log()
    # Keys that are set and no longer mean anything: accepted for one release, so that an upgrade starts.
    deprecated: tuple[str, ...] = ()


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}


REMOVED: dict[tuple[str, str], str] = {
    ("fetch", "overlap"): "readings end where they meet what was read before, and need no overlap",
}


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from ``path`` (None: ./pipeline.toml where there is one, else the defaults) and ``environ``.

    Raises ConfigError with every problem found.
    """
    path, tables = _read(path, environ)
    where = str(path) if path is not None else "the defaults"
    deprecated, environ = _without_removed(tables, where, environ)
    problems = _unknown_keys(tables, where)
    _override(tables, environ, problems)
    if problems:
        raise ConfigError(problems)
    try:
        config = Config.model_validate({**tables, "deprecated": tuple(deprecated)})
    except ValidationError as error:
        raise ConfigError([_explain(fault, where, environ) for fault in error.errors()]) from None
    if problems := [f"{where}: {problem}" for problem in _contradictions(config)]:
        raise ConfigError(problems)
    return config


def _contradictions(config: Config) -> Iterator[str]:
    """What is possible alone and not together."""
    timeout, lease = config.notify.timeout, config.notify.lease
    if lease <= timeout + LEASE_MARGIN:
        yield (
            f"[notify] lease: {lease:g} must be more than [notify] timeout ({timeout:g}) and {LEASE_MARGIN:g} seconds: "
            "else another process takes over what is still being sent, and sends it again"
        )
    if 0 < config.canary.interval < config.fetch.fresh_for:
        least = f"{config.fetch.fresh_for:g}"
        yield f"[canary] interval: must be 0 (off), or at least [fetch] fresh_for ({least}): nothing is read more often"
    url, secret = config.alerts.url.get_secret_value().lower(), config.alerts.secret.get_secret_value()
    signed = url.startswith(("http://", "https://"))
    if signed and not secret:
        yield '[alerts] secret: a webhook is signed with one; make it with: echo "whsec_$(openssl rand -base64 24)"'
    if url and secret and not signed:
        yield "[alerts] secret: only an http:// or https:// url is signed; remove it"


def _read(path: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, dict[str, Any]]:
    if path is None and environ.get("OVERHEARD_CONFIG"):
        path = Path(environ["OVERHEARD_CONFIG"])
    if path is None:
        path = Path("pipeline.toml")
        if not path.exists():
            return None, {}
    try:
        with open_input(path) as file:
            return path, parse_toml(read_to_limit(file, str(path), FILE_MAX_BYTES), str(path))
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file (give its path with --config or OVERHEARD_CONFIG)"]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in its path
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    except InvalidInput as error:
        raise ConfigError([str(error)]) from None


def _without_removed(
    tables: dict[str, Any], where: str, environ: Mapping[str, str]
) -> tuple[list[str], Mapping[str, str]]:
    """Take removed keys out of the tables and the environment; a line for each, and what is left of the environment."""
    found = []
    for (section, key), why in REMOVED.items():
        variable = f"{PREFIX}{section}__{key}".upper()
        table = tables.get(section)
        if isinstance(table, dict) and table.pop(key, None) is not None:
            found.append(f"{where}: [{section}] {key} is no longer used ({why}): remove it")
        if variable in environ:
            environ = {name: text for name, text in environ.items() if name != variable}
            found.append(f"environment: {variable} is no longer used ({why}): unset it")
    return found, environ


def _unknown_keys(tables: dict[str, Any], where: str) -> list[str]:
    problems = []
    for section, table in tables.items():
        if section not in SECTIONS:
            problems.append(f"{where}: [{section}] is no section of it. {_near(section, SECTIONS)}")
        elif not isinstance(table, dict):
            problems.append(f"{where}: {section} must be a table: write [{section}] on a line of its own")
        else:
            valid = SECTIONS[section].model_fields
            for key in table:
                if key not in valid:
                    problems.append(f"{where}: [{section}] {key}: unknown key. {_near(key, valid)}")
    return problems


def _override(tables: dict[str, Any], environ: Mapping[str, str], problems: list[str]) -> None:
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
        if section not in SECTIONS or not key:
            names = [f"{PREFIX}{name.upper()}__…" for name in SECTIONS]
            problems.append(f"environment: {variable}: no such setting. {_near(variable, names)}")
            continue
        fields = SECTIONS[section].model_fields
        if key.endswith(FILE_SUFFIX.lower()) and key not in fields:
            key = key.removesuffix(FILE_SUFFIX.lower())
            if variable.removesuffix(FILE_SUFFIX) in environ:
                problems.append(f"environment: {variable}: {variable.removesuffix(FILE_SUFFIX)} is set too; unset one")
                continue
            if key in fields and fields[key].annotation is not SecretStr:
                problems.append(f"environment: {variable}: only secrets can be read from a file")
                continue
            try:
                text = read_secret(text)
            except ValueError as error:
                problems.append(f"environment: {variable}: the secret's file cannot be read: {error}")
                continue
        if key not in fields:
            problems.append(f"environment: {variable}: [{section}] has no such key. {_near(key, fields)}")
            continue
        table = tables.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = _from_text(fields[key].annotation, text)


def _from_text(annotation: Any, text: str) -> Any:
    """An environment variable is text: read numbers and booleans from it, and leave the rest to the validation."""
    plain = annotation if get_origin(annotation) is None else annotation.__args__[0]
    if plain not in (int, float, bool):
        return text
    try:
        return TypeAdapter(plain).validate_python(text)
    except ValidationError:
        return text


def _near(word: str, valid: Any) -> str:
    names = list(valid)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}Valid: {', '.join(names)}"


def _explain(fault: Any, where: str, environ: Mapping[str, str]) -> str:
    section, key = ([str(part) for part in fault["loc"]] + ["", ""])[:2]
    variable = f"{PREFIX}{section}__{key}".upper()
    source = f"environment {variable}" if variable in environ or variable + FILE_SUFFIX in environ else where
    message = str(fault["msg"]).removeprefix("Value error, ")
    default = SECTIONS[section].model_fields[key].default if section in SECTIONS and key else None
    shown = "" if default is None or isinstance(default, SecretStr) else f" (default: {default!r})"
    return f"{source}: [{section}] {key}: {message}{shown}"
