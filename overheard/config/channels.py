"""The settings of chat services: ``[channels.slack]`` and its siblings."""

from __future__ import annotations

from overheard.config.section import SettingsSection
from overheard.config.sources import HttpAddress

SLACK_WEBHOOKS, SLACK_WEB_API = "https://hooks.slack.com", "https://slack.com"


class SlackSettings(SettingsSection):
    url: HttpAddress = SLACK_WEBHOOKS

    @property
    def api_url(self) -> str:
        """Return where the Web API is, to which bots post: a proxy or a stand-in serves it beside the webhooks."""
        return SLACK_WEB_API if self.url == SLACK_WEBHOOKS else self.url


class DiscordSettings(SettingsSection):
    url: HttpAddress = "https://discord.com"


class TelegramSettings(SettingsSection):
    url: HttpAddress = "https://api.telegram.org"


class NtfySettings(SettingsSection):
    url: HttpAddress = "https://ntfy.sh"


class ChannelsSettings(SettingsSection):
    """Where the services are. These addresses are the operator's, so private ones are allowed."""

    slack: SlackSettings = SlackSettings()
    discord: DiscordSettings = DiscordSettings()
    telegram: TelegramSettings = TelegramSettings()
    ntfy: NtfySettings = NtfySettings()
