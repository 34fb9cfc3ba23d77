from __future__ import annotations

import pytest

from overheard.channels import ChannelOptions
from overheard.channels.apprise.transport import AppriseTransport
from overheard.channels.discord import DiscordTransport
from overheard.channels.ntfy import NtfyTransport
from overheard.channels.redact import redact
from overheard.channels.registry import is_signed, open_transport, validate_url
from overheard.channels.signing import new_secret
from overheard.channels.slack import SlackTransport
from overheard.channels.webhook import WebhookTransport
from overheard.errors import InvalidInput

FLOW = "workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/invoke"
SIGNED = "sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=canary-abcDEF_123"
# To which we send ourselves.
NATIVE = {
    "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkcanaryXOrIdevi7FQ": SlackTransport,
    "https://hooks.slack-gov.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkcanaryXOrIdevi7FQ": SlackTransport,
    "https://discord.com/api/webhooks/4174216298/JHMHI8qBcanaryZwO5U711o3dV_js": DiscordTransport,
    "HTTPS://DiscordApp.com/api/webhooks/4174216298/JHMHI8qBcanaryZwO5U711o3dV_js": DiscordTransport,
    "https://canary.discord.com/api/webhooks/4174216298/JHMHI8qBZwO5U711o3dV_js": DiscordTransport,
    "https://ptb.discord.com/api/v10/webhooks/4174216298/JHMHI8qBcanaryZwO5U711o3dV_js?thread_id=1": DiscordTransport,
    "https://ntfy.sh/canary": NtfyTransport,
}
# To which Apprise sends.
COPIED = {
    "https://hooks.slack.com/triggers/T1JJ3T3L2/4174216298/canary": "slack",
    f"https://prod-12.westeurope.logic.azure.com:443/{FLOW}?api-version=2016-06-01&{SIGNED}": "workflows",
    f"https://default0123.45.environment.api.powerplatform.com:443/powerautomate/automations/direct/{FLOW}"
    f"?api-version=1&{SIGNED}": "workflows",
    "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=canary-1&token=canary%3D": "google_chat",
    "https://webexapis.com/v1/webhooks/incoming/" + 8 * "0123canary": "webexteams",
}
UNKNOWN = {
    "https://canary.discord.com/api/webhooks/4174216298": "https://discord.com/api/webhooks/ID/TOKEN",
    "https://discord.com/channels/1/canary": "https://discord.com/api/webhooks/ID/TOKEN",
    "https://hooks.slack.com/services/canary": "https://hooks.slack.com/services/T…/B…/…",
    "https://acme.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/canary": "a Teams workflow",
    "https://outlook.office.com/webhook/a@b/IncomingWebhook/c/canary": "a Teams workflow",
    f"https://prod-12.westeurope.logic.azure.com/{FLOW}": "everything after the question mark",
    "https://chat.googleapis.com/v1/spaces/canary": "messages?key=…&token=…",
    "https://api.telegram.org/bot123456789:canary/sendMessage?chat_id=5": "tgram://BOT_TOKEN/CHAT_ID",
    "https://t.me/canary": "tgram://BOT_TOKEN/CHAT_ID",
    "https://ntfy.sh/": "https://ntfy.sh/TOPIC",
    "https://api.pushover.net/1/messages.json?token=canary": "pover://USER_KEY@APP_TOKEN",
}
WEBHOOKS = [
    "https://example.com/services/T1/A1/x", "https://hooks.slack.com.example.com/services/T1/A1/x",
    "https://hooks.zapier.com/hooks/catch/1/2/", "https://mattermost.example.com/hooks/abc", "https://discord.com.evil.org/",
    "https://outlook.office.com/other", "https://acme.azurewebsites.net/hook", "https://ntfy.example.com/topic",
]  # fmt: skip


@pytest.mark.parametrize("url", COPIED)
def test_a_copied_address_gets_messages_in_the_services_own_format(url: str, strict: ChannelOptions) -> None:
    assert not is_signed(url)
    validate_url(url, options=strict)
    channel = open_transport(url, None, options=strict)
    assert isinstance(channel, AppriseTransport)
    assert type(channel.service()).__module__ == f"apprise.plugins.{COPIED[url]}"
    assert "canary" not in redact(url)


@pytest.mark.parametrize("url", NATIVE)
def test_some_services_have_a_transport_of_their_own(url: str, strict: ChannelOptions) -> None:
    assert not is_signed(url)
    validate_url(url, options=strict)
    assert isinstance(open_transport(url, None, options=strict), NATIVE[url])
    assert "canary" not in redact(url).replace("canary.discord.com", "")


@pytest.mark.parametrize("url", [*COPIED, *NATIVE])
def test_a_secret_left_from_when_the_address_was_a_webhook_is_ignored(url: str, strict: ChannelOptions) -> None:
    assert isinstance(open_transport(url, new_secret(), options=strict), NATIVE.get(url, AppriseTransport))


@pytest.mark.parametrize("url", UNKNOWN)
def test_an_address_that_the_service_refuses_is_refused_with_the_right_form(url: str, strict: ChannelOptions) -> None:
    with pytest.raises(InvalidInput) as error:
        validate_url(url, options=strict, where="channel 'team'")
    text = str(error.value)
    assert text.startswith("channel 'team': url: not an address at which ")
    assert UNKNOWN[url] in text
    assert "canary" not in text.replace("canary.discord.com", "")


@pytest.mark.parametrize("url", WEBHOOKS)
def test_all_other_addresses_stay_signed_webhooks(url: str, strict: ChannelOptions) -> None:
    assert is_signed(url)
    assert isinstance(open_transport(url, new_secret(), options=strict), WebhookTransport)


@pytest.mark.parametrize("option", ["template=/etc/passwd", "template=https://example.com/x"])
def test_options_of_a_copied_address_are_held_to_the_same_rules(option: str, strict: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match="the option template= of Slack may read a file"):
        open_transport(f"{next(iter(NATIVE))}?{option}", None, options=strict)
