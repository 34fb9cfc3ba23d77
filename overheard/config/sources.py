"""The settings of sources: ``[sources.reddit]`` and its siblings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from overheard.config.section import Count, SecondsUpToAnHour, SettingsSection


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
    # Reddit allows 100 a minute for each client id; a simulator may allow more.
    requests_per_minute: Annotated[int, Field(gt=0, le=6000)] = 95
    burst: Count = 5
    timeout: SecondsUpToAnHour = 15
    # Not strict, because TOML has arrays and no tuples.
    client: Annotated[tuple[RedditCredentials, ...], Field(strict=False)] = ()

    @field_validator("reddit_url", "oauth_url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        # The paths that are appended begin with a slash.
        return value.rstrip("/")

    @property
    def clients(self) -> tuple[RedditCredentials, ...]:
        """Return all configured clients, the one of the single keys last. Only the first is used so far."""
        single = (
            [RedditCredentials(client_id=self.client_id, client_secret=self.client_secret)] if self.client_id else []
        )
        return (*self.client, *single)

    @property
    def client_in_use(self) -> str:
        """Return the id of the client that is used; empty without one."""
        return self.clients[0].client_id if self.clients else ""


class ReplaySettings(SettingsSection):
    path: str = ""
    speed: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 1.0


class SourcesSettings(SettingsSection):
    """A table of tables: ``[sources.reddit]``."""

    reddit: RedditSettings = RedditSettings()
    replay: ReplaySettings = ReplaySettings()
