"""Add, edit and remove single queries of a workspace; everything else of it stays as it is."""

from __future__ import annotations

from collections.abc import Callable

from overheard.db import workspace_specs
from overheard.db import workspaces as stored_workspaces
from overheard.db.database import Db
from overheard.errors import Conflict, NotFound
from overheard.operations.workspaces import limit_check, require_not_internal
from overheard.process import RunningProcess
from overheard.workspaces import QuerySpec, WorkspaceSpec, validated_query

Change = Callable[[tuple[QuerySpec, ...]], tuple[QuerySpec, ...]]


def add(running: RunningProcess, slug: str, query: QuerySpec) -> QuerySpec:
    """Add a query, and return it as it is stored. Raises NotFound, InvalidInput, and Conflict if its name is taken."""
    with running.db.transaction():
        workspace_id, spec = _locked(running.db, slug)
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
        workspace_id, spec = _locked(running.db, slug)
        query = validated_query(spec, change(_named(spec, name)), limit_check(running))
        queries = tuple(query if each.name == name else each for each in spec.query)
        workspace_specs.save_queries(running.db, workspace_id, queries, running.clock())
    return query


def remove(running: RunningProcess, slug: str, name: str) -> int:
    """Remove a query, and return how many the workspace has left. Its mentions stay. Raises NotFound."""
    with running.db.transaction():
        workspace_id, spec = _locked(running.db, slug)
        removed = _named(spec, name)
        queries = tuple(each for each in spec.query if each is not removed)
        workspace_specs.save_queries(running.db, workspace_id, queries, running.clock())
    return len(queries)


def _locked(db: Db, slug: str) -> tuple[int, WorkspaceSpec]:
    """Return a workspace that nothing else changes before the transaction ends."""
    row = require_not_internal(db, slug)
    stored_workspaces.lock(db, row.id)
    return row.id, workspace_specs.load(db, row.id, secrets=False)


def _named(spec: WorkspaceSpec, name: str) -> QuerySpec:
    for query in spec.query:
        if query.name == name:
            return query
    has = f"it has: {', '.join(query.name for query in spec.query)}" if spec.query else "it has none"
    raise NotFound(f"workspace {spec.slug} has no query {name[:100]!r}; {has}")
