"""The configuration: the sections of ``pipeline.toml`` with their keys, defaults and bounds.

``loading`` reads them from the file and the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from overheard.config.channels import ChannelsSettings as ChannelsSettings
from overheard.config.section import YEAR_SECONDS, Count, Days, Seconds, SecondsUpToAnHour, SettingsSection, Threads
from overheard.config.sources import RedditSettings as RedditSettings
from overheard.config.sources import SourcesSettings as SourcesSettings
from overheard.credentials import check_url_password
from overheard.errors import InvalidInput
from overheard.schedule import span_seconds

LOOK_BACK_MIN_SECONDS, LOOK_BACK_MAX_SECONDS = 60.0, 86400.0
LEASE_MARGIN_SECONDS = 5.0  # of [notify] lease, left after an attempt that took its whole [notify] timeout


class BusSettings(SettingsSection):
    # Its password must not appear where a configuration is printed.
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
        """Return the URL, which is secret."""
        return self.url.get_secret_value()

    @property
    def embedded(self) -> bool:
        """Return True if all stages must run in one process."""
        return self.url.get_secret_value().startswith("memory://")


class DatabaseSettings(SettingsSection):
    url: SecretStr = SecretStr("sqlite:///overheard.db")

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        # A path to a file has no password, and may contain any character.
        if not value.get_secret_value().startswith("sqlite:///"):
            check_url_password(value.get_secret_value())
        return value

    @property
    def embedded(self) -> bool:
        """Return True for SQLite, which migrates itself."""
        return self.url.get_secret_value().startswith("sqlite:///")


class TickSettings(SettingsSection):
    interval: SecondsUpToAnHour = 5
    jitter: Annotated[float, Field(ge=0, le=3600)] = 10
    batch: Count = 500
    sweep_after: Seconds = 60


class FetchSettings(SettingsSection):
    threads: Threads = 4
    fresh_for: Annotated[float, Field(ge=0, le=YEAR_SECONDS, allow_inf_nan=False)] = 60
    # A request's names have to fit into its URL; a source may set a lower limit of its own.
    group_size: Annotated[int, Field(gt=0, le=200)] = 50
    max_pages: Annotated[int, Field(gt=0, le=10)] = 10  # Reddit's listings end after ten
    spare: Literal["freshness", "save"] = "freshness"
    freshest: SecondsUpToAnHour = 15
    look_back: str = "30m"  # as workspaces write spans; "0": no second looks
    lease: Seconds = 120
    longest_backoff: Seconds = 86400

    @field_validator("look_back")
    @classmethod
    def _span(cls, value: str) -> str:
        try:
            seconds = _span_or_zero(value)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        if not (seconds == 0.0 or LOOK_BACK_MIN_SECONDS <= seconds <= LOOK_BACK_MAX_SECONDS):
            raise ValueError('must be from 1m to 1d, or "0"')
        return value

    @property
    def look_back_seconds(self) -> float:
        """Return ``look_back`` in seconds; 0 if there are no second looks, as when spare budget is to be saved."""
        return _span_or_zero(self.look_back) if self.spare == "freshness" else 0.0


def _span_or_zero(text: str) -> float:
    return 0.0 if text.strip() == "0" else span_seconds(text)


class MatchSettings(SettingsSection):
    # Matching uses the CPU, where Python runs one thread at a time: a second process helps more.
    threads: Threads = 1


class StoreSettings(SettingsSection):
    threads: Threads = 2


class MuteSettings(SettingsSection):
    """``[[notify.mute]]``: what no workspace is sent. A mention has to fit all conditions given."""

    source: str = ""
    author: str = ""
    place: str = ""
    thread: str = ""
    until: str = ""


class NotifySettings(SettingsSection):
    threads: Threads = 8
    allow_private: bool = False
    timeout: SecondsUpToAnHour = 20
    per_minute: Count = 60
    burst: Count = 20
    batch: Count = 10
    lease: Seconds = 60
    give_up_after: Seconds = 432000
    files_dir: str = ""  # file:// channels write below it; empty: there are none
    # Not strict, because TOML has arrays and no tuples.
    mute: Annotated[tuple[MuteSettings, ...], Field(strict=False)] = ()


class DigestSettings(SettingsSection):
    threads: Threads = 1


class RecheckSettings(SettingsSection):
    threads: Threads = 1
    within_hours: Annotated[float, Field(gt=0, le=720)] = 24
    batch: Annotated[int, Field(gt=0, le=100)] = 5
    # Rechecks may never take most of the budget from reading. Chosen, not measured.
    share: Annotated[float, Field(ge=0.01, le=0.5)] = 0.05


class SampleSettings(SettingsSection):
    items_per_source: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    # At most a day: what is deleted at its source has to be gone here by then, and the sample is not rechecked (I9).
    hours: Annotated[float, Field(gt=0, le=24)] = 24

    @property
    def seconds(self) -> float:
        """Return the time for which an item is in the sample."""
        return self.hours * 3600.0


class LimitsSettings(SettingsSection):
    """The most that one workspace may have."""

    queries: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    feeds: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    channels: Annotated[int, Field(ge=1, le=100_000)] = 500
    triggers_per_hour: Annotated[int, Field(ge=1, le=1_000_000)] = 3600
    budget_percent: Annotated[int, Field(ge=1, le=1000)] = 60


class MetricsSettings(SettingsSection):
    host: str = "127.0.0.1"
    # The stage's number and the process's own are added to it.
    # 65,000 leaves room for these below 65,535.
    port: Annotated[int, Field(ge=0, le=65000)] = 9400


class RetentionSettings(SettingsSection):
    items_days: Days = 0
    no_deletions_days: Days = 30
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
    """The whole configuration. Its attributes are the tables of pipeline.toml."""

    bus: BusSettings = BusSettings()
    database: DatabaseSettings = DatabaseSettings()
    sources: SourcesSettings = SourcesSettings()
    tick: TickSettings = TickSettings()
    fetch: FetchSettings = FetchSettings()
    match: MatchSettings = MatchSettings()
    store: StoreSettings = StoreSettings()
    notify: NotifySettings = NotifySettings()
    channels: ChannelsSettings = ChannelsSettings()
    digest: DigestSettings = DigestSettings()
    recheck: RecheckSettings = RecheckSettings()
    sample: SampleSettings = SampleSettings()
    limits: LimitsSettings = LimitsSettings()
    metrics: MetricsSettings = MetricsSettings()
    retention: RetentionSettings = RetentionSettings()
    canary: CanarySettings = CanarySettings()
    alerts: AlertsSettings = AlertsSettings()
    log: LogSettings = LogSettings()
    # Warnings of old names and removed keys: they are accepted for one release, so that an upgrade starts.
    deprecated: tuple[str, ...] = ()


def _sections(table: type[SettingsSection], prefix: str = "") -> Iterator[tuple[str, type[SettingsSection]]]:
    for name, field in table.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, SourcesSettings | ChannelsSettings):
            yield from _sections(kind, f"{prefix}{name}.")
        elif isinstance(kind, type) and issubclass(kind, SettingsSection):
            yield f"{prefix}{name}", kind


# By name, as in brackets: sources.reddit.
SECTIONS: dict[str, type[SettingsSection]] = dict(_sections(Config))
