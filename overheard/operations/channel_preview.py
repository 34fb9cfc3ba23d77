"""Preview a message for a channel: a real mention as it would be sent; nothing is sent."""

from __future__ import annotations

import html

import msgspec

from overheard.channels.preview import MessagePreview
from overheard.channels.registry import open_transport
from overheard.channels.sample_notice import sample_notice
from overheard.db import mentions, workspaces
from overheard.errors import NotFound
from overheard.notices import Notice
from overheard.operations import channels
from overheard.operations.workspaces import channel_options
from overheard.process import RunningProcess

PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body><pre style="white-space: pre-wrap; overflow-wrap: anywhere">{text}</pre></body>
</html>
"""


class ChannelPreview(msgspec.Struct, frozen=True):
    """``kind``: of the transport. ``mention``: the id of the mention that is shown, None for the sample."""

    kind: str
    mention: str | None
    message: MessagePreview

    @property
    def page(self) -> str:
        """Return the message as an HTML document."""
        title = f"Preview: {self.kind}"
        return self.message.html or PAGE.format(title=html.escape(title), text=html.escape(self.message.text))


def preview(running: RunningProcess, slug: str, name: str, mention_id: int | None = None) -> ChannelPreview:
    """Return a mention as a channel would be sent it: this one, else the newest, else a sample.

    Raises NotFound, and InvalidInput if the channel's address is not valid any more.
    """
    channel = channels.by_name(running.db, slug, name)
    workspace = workspaces.by_name(running.db, slug)
    found = mentions.one(running.db, workspace.id, mention_id)
    if found is None and mention_id is not None:
        raise NotFound(
            f"workspace {slug} has no mention {mention_id}; overheard mentions --format json shows their ids"
        )
    notice = sample_notice(slug) if found is None else Notice("preview", "mention.created", slug, (found,))
    notice = msgspec.structs.replace(notice, name=workspace.name, timezone=workspace.timezone)
    transport = open_transport(channel.url, channel.secret, options=channel_options(running))
    return ChannelPreview(transport.kind, found.id if found else None, transport.preview(notice))
