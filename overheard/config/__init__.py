"""The configuration: the tables of ``pipeline.toml`` with their keys, defaults and bounds (``loading`` reads them)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from overheard.credentials import check_url_password

# What is beyond these bounds is a slip of the pen: a timer or a thread pool would fail on it, later and darkly.
YEAR = 31_536_000
Positive = Annotated[int, Field(gt=0, le=100_000)]
Threads = Annotated[int, Field(gt=0, le=64)]
Seconds = Annotated[float, Field(gt=0, le=YEAR, allow_inf_nan=False)]
Soon = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Days = Annotated[int, Field(ge=0, le=36_500)]

LEASE_MARGIN = 5.0  # seconds of [notify] lease that must be left when a try has taken its whole [notify] timeout


class SettingsSection(BaseModel):
    """A table of pipeline.toml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class BusSettings(SettingsSection):
    url: SecretStr = SecretStr("memory://")

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("memory://", "amqp://", "amqps://")):
            raise ValueError("must start with memory://, amqp:// or amqps://")
        check_url_password(value.get_secret_value())
        return value

    @property
    def address(self) -> str:
        """The URL. Secret."""
        return self.url.get_secret_value()

    @property
    def embedded(self) -> bool:
        """Whether all stages must live in one process."""
        return self.url.get_secret_value().startswith("memory://")


class DatabaseSettings(SettingsSection):
    url: SecretStr = SecretStr("sqlite:///overheard.db")

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        if not value.get_secret_value().startswith("sqlite:///"):
            check_url_password(value.get_secret_value())
        return value

    @property
    def embedded(self) -> bool:
        """Whether it is SQLite, which migrates itself."""
        return self.url.get_secret_value().startswith("sqlite:///")


class RedditCredentials(SettingsSection):
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr = SecretStr("")


class RedditSettings(SettingsSection):
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
    client: Annotated[tuple[RedditCredentials, ...], Field(strict=False)] = ()  # strict: TOML knows no tuples

    @field_validator("reddit_url", "oauth_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @property
    def clients(self) -> tuple[RedditCredentials, ...]:
        """All that are configured, the single keys' last. Only the first is used yet."""
        single = (
            [RedditCredentials(client_id=self.client_id, client_secret=self.client_secret)] if self.client_id else []
        )
        return (*self.client, *single)

    @property
    def client_in_use(self) -> str:
        """The id of the client that is used; empty without one."""
        return self.clients[0].client_id if self.clients else ""


class ReplaySettings(SettingsSection):
    path: str = ""
    speed: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 1.0


class SourcesSettings(SettingsSection):
    """A table of tables: ``[sources.reddit]``."""

    reddit: RedditSettings = RedditSettings()
    replay: ReplaySettings = ReplaySettings()


class TickSettings(SettingsSection):
    interval: Soon = 5
    jitter: Annotated[float, Field(ge=0, le=3600)] = 10
    batch: Positive = 500
    sweep_after: Seconds = 60


class FetchSettings(SettingsSection):
    threads: Threads = 4
    fresh_for: Annotated[float, Field(ge=0, le=YEAR, allow_inf_nan=False)] = 60
    group_size: Annotated[int, Field(gt=0, le=200)] = 50
    max_pages: Annotated[int, Field(gt=0, le=10)] = 10
    lease: Seconds = 120
    longest_backoff: Seconds = 86400


class MatchSettings(SettingsSection):
    threads: Threads = 1


class StoreSettings(SettingsSection):
    threads: Threads = 2


class NotifySettings(SettingsSection):
    threads: Threads = 8
    allow_private: bool = False
    timeout: Soon = 20
    per_minute: Positive = 60
    burst: Positive = 20
    batch: Positive = 10
    lease: Seconds = 60
    give_up_after: Seconds = 432000


class DigestSettings(SettingsSection):
    threads: Threads = 1


class RecheckSettings(SettingsSection):
    threads: Threads = 1
    within_hours: Annotated[float, Field(gt=0, le=720)] = 24
    batch: Annotated[int, Field(gt=0, le=100)] = 5
    share: Annotated[float, Field(ge=0.01, le=0.5)] = 0.05


class LimitsSettings(SettingsSection):
    """How much one workspace may have."""

    queries: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    feeds: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    channels: Annotated[int, Field(ge=1, le=100_000)] = 500
    triggers_per_hour: Annotated[int, Field(ge=1, le=1_000_000)] = 3600


class MetricsSettings(SettingsSection):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65000)] = 9400


class RetentionSettings(SettingsSection):
    items_days: Days = 0
    mentions_days: Days = 90
    deliveries_days: Days = 30
    dead_letters_days: Days = 90


class CanarySettings(SettingsSection):
    interval: Annotated[int, Field(ge=0, le=86400)] = 0


class AlertsSettings(SettingsSection):
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


class LogSettings(SettingsSection):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "text", "json"] = "auto"


class Config(SettingsSection):
    """All of it. Attributes are the tables of pipeline.toml."""

    bus: BusSettings = BusSettings()
    database: DatabaseSettings = DatabaseSettings()
    sources: SourcesSettings = SourcesSettings()
    tick: TickSettings = TickSettings()
    fetch: FetchSettings = FetchSettings()
    match: MatchSettings = MatchSettings()
    store: StoreSettings = StoreSettings()
    notify: NotifySettings = NotifySettings()
    digest: DigestSettings = DigestSettings()
    recheck: RecheckSettings = RecheckSettings()
    limits: LimitsSettings = LimitsSettings()
    metrics: MetricsSettings = MetricsSettings()
    retention: RetentionSettings = RetentionSettings()
    canary: CanarySettings = CanarySettings()
    alerts: AlertsSettings = AlertsSettings()
    log: LogSettings = LogSettings()
    # Keys that are set and no longer mean anything: accepted for one release, so that an upgrade starts.
    deprecated: tuple[str, ...] = ()


def _sections(table: type[SettingsSection], prefix: str = "") -> Iterator[tuple[str, type[SettingsSection]]]:
    for name, field in table.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, SourcesSettings):
            yield from _sections(kind, f"{prefix}{name}.")
        elif isinstance(kind, type) and issubclass(kind, SettingsSection):
            yield f"{prefix}{name}", kind


SECTIONS: dict[str, type[SettingsSection]] = dict(_sections(Config))  # by name, as between brackets: sources.reddit
