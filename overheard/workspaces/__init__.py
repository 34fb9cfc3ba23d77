"""Workspace specs: what a workspace consists of, its validation, and the TOML file of ``import`` and ``export``."""

from overheard.workspaces.pasted_urls import parse_address, pasted
from overheard.workspaces.spec import (
    DEFAULT_DIGEST,
    DEFAULT_EVERY,
    KINDS,
    ChannelMode,
    ChannelSpec,
    MuteSpec,
    QuerySpec,
    WatchedFeed,
    WatchKind,
    WatchSpec,
    WorkspaceSpec,
    watch_fields,
)
from overheard.workspaces.toml_format import FILE_MAX_BYTES, read, write
from overheard.workspaces.validation import (
    LimitCheck,
    check_query_name,
    validated,
    validated_channel,
    validated_mute,
    validated_query,
)

__all__ = [
    "DEFAULT_DIGEST",
    "DEFAULT_EVERY",
    "FILE_MAX_BYTES",
    "KINDS",
    "ChannelMode",
    "ChannelSpec",
    "LimitCheck",
    "MuteSpec",
    "QuerySpec",
    "WatchKind",
    "WatchSpec",
    "WatchedFeed",
    "WorkspaceSpec",
    "check_query_name",
    "parse_address",
    "pasted",
    "read",
    "validated",
    "validated_channel",
    "validated_mute",
    "validated_query",
    "watch_fields",
    "write",
]
