"""The settings of sources: ``[sources.reddit]`` and its siblings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from overheard.config.section import YEAR_SECONDS, Count, SecondsUpToAnHour, SettingsSection


def _address(*schemes: str) -> AfterValidator:
    """Return a validator of an address of one of ``schemes``; it removes a slash at the end."""

    def check(value: str) -> str:
        if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        # The paths that are appended begin with a slash.
        return value.rstrip("/")

    return AfterValidator(check)


HttpAddress = Annotated[str, _address("http", "https")]
WebSocketAddress = Annotated[str, _address("ws", "wss")]


class RedditCredentials(SettingsSection):
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr = SecretStr("")


class RedditSettings(SettingsSection):
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    username: str = ""
    password: SecretStr = SecretStr("")
    user_agent: str = ""
    reddit_url: HttpAddress = "https://www.reddit.com"
    oauth_url: HttpAddress = "https://oauth.reddit.com"
    # Reddit allows 100 a minute for each client id; a simulator may allow more.
    requests_per_minute: Annotated[int, Field(gt=0, le=6000)] = 95
    burst: Count = 500
    timeout: SecondsUpToAnHour = 15
    # Not strict, because TOML has arrays and no tuples.
    client: Annotated[tuple[RedditCredentials, ...], Field(strict=False)] = ()

    @property
    def clients(self) -> tuple[RedditCredentials, ...]:
        """Return all configured clients, each once, the one of the single keys last."""
        single = (
            [RedditCredentials(client_id=self.client_id, client_secret=self.client_secret)] if self.client_id else []
        )
        by_id: dict[str, RedditCredentials] = {}
        for client in (*self.client, *single):
            by_id.setdefault(client.client_id, client)
        return tuple(by_id.values())


class HackerNewsSettings(SettingsSection):
    url: HttpAddress = "https://hacker-news.firebaseio.com"
    search_url: HttpAddress = "https://hn.algolia.com"
    requests_per_second: Annotated[float, Field(gt=0, le=1000)] = 10
    timeout: SecondsUpToAnHour = 15


class FeedsSettings(SettingsSection):
    min_interval: Annotated[float, Field(ge=1, le=YEAR_SECONDS)] = 900
    allow_private: bool = False
    timeout: SecondsUpToAnHour = 20


class BlueskySettings(SettingsSection):
    url: WebSocketAddress = "wss://jetstream2.us-east.bsky.network"
    protocol: Literal["auto", "v1", "v2"] = "auto"


class MastodonSettings(SettingsSection):
    allow_private: bool = False
    timeout: SecondsUpToAnHour = 15


class StackExchangeSettings(SettingsSection):
    url: HttpAddress = "https://api.stackexchange.com"
    key: SecretStr = SecretStr("")
    timeout: SecondsUpToAnHour = 15


class ReplaySettings(SettingsSection):
    path: str = ""
    speed: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 1.0


class SourcesSettings(SettingsSection):
    """A table of tables: ``[sources.reddit]``."""

    reddit: RedditSettings = RedditSettings()
    hackernews: HackerNewsSettings = HackerNewsSettings()
    feeds: FeedsSettings = FeedsSettings()
    bluesky: BlueskySettings = BlueskySettings()
    mastodon: MastodonSettings = MastodonSettings()
    stackexchange: StackExchangeSettings = StackExchangeSettings()
    replay: ReplaySettings = ReplaySettings()
