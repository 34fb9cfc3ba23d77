"""The settings of chat services: ``[channels.slack]`` and its siblings."""

from __future__ import annotations

from overheard.config.section import SettingsSection
from overheard.config.sources import HttpAddress


class SlackSettings(SettingsSection):
    url: HttpAddress = "https://hooks.slack.com"
    # Of the Web API, for bot tokens. A proxy or a stand-in serves both at one address.
    api_url: HttpAddress = "https://slack.com"


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
