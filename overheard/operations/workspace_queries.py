"""Add, edit, rename and remove single queries of a workspace; everything else of it stays as it is."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import msgspec

from overheard.db import workspace_specs
from overheard.errors import Conflict, NotFound
from overheard.operations.wording import counted
from overheard.operations.workspaces import limit_check, locked
from overheard.process import RunningProcess
from overheard.workspaces import QuerySpec, WorkspaceSpec, check_query_name, validated_query


class RemovedQuery(msgspec.Struct, frozen=True):
    """How many queries are ``left``, which channels heard of the removed one, and how many mutes went with it."""

    left: int
    channels: tuple[str, ...]
    mutes: int


def add(running: RunningProcess, slug: str, query: QuerySpec) -> QuerySpec:
    """Add a query, and return it as it is stored. Raises NotFound, InvalidInput, and Conflict if its name is taken."""
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug)
        if any(each.name == query.name for each in spec.query):
            raise Conflict(
                f"workspace {slug} already has a query {query.name!r}\nto change it: overheard query edit {slug} …"
            )
        query = validated_query(spec, query, limit_check(running))
        workspace_specs.save_queries(running.db, workspace_id, (*spec.query, query), running.clock())
    return query


def edit(running: RunningProcess, slug: str, name: str, change: Callable[[QuerySpec], QuerySpec]) -> QuerySpec:
    """Replace a query by what ``change`` makes of it, and return it as it is stored. Raises NotFound, InvalidInput."""
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug)
        query = validated_query(spec, change(_named(spec, name)), limit_check(running))
        queries = tuple(query if each.name == name else each for each in spec.query)
        workspace_specs.save_queries(running.db, workspace_id, queries, running.clock())
    return query


def rename(running: RunningProcess, slug: str, name: str, new_name: str) -> None:
    """Give a query another name; its mentions, mutes and channels follow. Raises NotFound, InvalidInput, Conflict."""
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug)
        _named(spec, name)
        check_query_name(new_name)
        if not workspace_specs.rename_query(running.db, workspace_id, name, new_name):
            taken = any(each.name == new_name for each in spec.query)
            raise Conflict(
                f"workspace {slug} {'already has' if taken else 'had'} a query {new_name!r}\n"
                "its mentions keep that name; take another"
            )


def remove(running: RunningProcess, slug: str, name: str) -> RemovedQuery:
    """Remove a query. Its mentions stay. Raises NotFound, and Conflict if a channel would be left without any."""
    with running.db.transaction():
        workspace_id, spec = locked(running.db, slug)
        removed = _named(spec, name)
        alone = [channel.name for channel in spec.channel if set(channel.queries) == {name}]
        if alone:
            raise Conflict(
                f"query {name!r} is the only one that {counted(len(alone), 'channel')} of {slug} "
                f"{'hears' if len(alone) == 1 else 'hear'} of: {', '.join(alone)}\n"
                f"give it others first (overheard channel edit {slug} {shlex.quote(alone[0])} --query OTHER, or "
                f"--all-queries), or remove it (overheard channel remove {slug} {shlex.quote(alone[0])})"
            )
        queries = tuple(each for each in spec.query if each is not removed)
        left_out_of, mutes = workspace_specs.leave_out_query(running.db, workspace_id, name)
        workspace_specs.save_queries(running.db, workspace_id, queries, running.clock())
    return RemovedQuery(len(queries), tuple(left_out_of), mutes)


def _named(spec: WorkspaceSpec, name: str) -> QuerySpec:
    for query in spec.query:
        if query.name == name:
            return query
    has = f"it has: {', '.join(query.name for query in spec.query)}" if spec.query else "it has none"
    raise NotFound(f"workspace {spec.slug} has no query {name[:100]!r}; {has}")
