"""A PostgreSQL database that is reused by one test after another, each time as empty as after the migrations.

Creating one for each test costs a fifth of a second and a checkpoint; emptying it costs as much as was written.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from tests.servers.postgres import PostgresServer

# Everything about the database but its rows: what was created or altered has another oid, xmin, owner or privileges.
# TRUNCATE gives a table new files (and pg_class a new xmin), which changes nothing here.
SHAPE = """
WITH ours AS (
    SELECT c.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), facts (fact) AS (
    SELECT row(oid, relname, relkind, relowner, relacl, reloptions, relrowsecurity)::text FROM ours
    UNION ALL SELECT row('a', a.xmin, attrelid, attnum)::text FROM pg_attribute a JOIN ours ON ours.oid = attrelid
    UNION ALL SELECT row('c', k.xmin, k.oid)::text FROM pg_constraint k JOIN ours ON ours.oid = conrelid
    UNION ALL SELECT row('t', t.xmin, t.oid)::text FROM pg_trigger t JOIN ours ON ours.oid = tgrelid
    UNION ALL SELECT row('p', xmin, oid)::text FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT row('n', oid, nspname, nspowner, nspacl)::text FROM pg_namespace WHERE nspname !~ '^pg_t'
    UNION ALL SELECT row('e', xmin, oid)::text FROM pg_extension
    UNION ALL SELECT row('d', oid, datdba, datacl)::text FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT row('s', s.*)::text FROM pg_db_role_setting s
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT row('m', id, name)::text FROM schema_migration
)
SELECT md5(string_agg(fact, ',' ORDER BY fact)) FROM facts
"""
END_OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# A table without a single page was never written to, not even by what was rolled back.
WRITTEN = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND relname <> 'schema_migration' AND pg_relation_size(oid) > 0
"""


class ReusedDatabase:
    """One database on ``server``, cloned from ``template`` and emptied between tests.

    It is cloned anew when a test has changed more than rows: the schema, privileges, settings, or its name.
    """

    def __init__(self, server: PostgresServer, template: str, name: str) -> None:
        self._server, self._template, self._name = server, template, name
        self._url: str | None = None
        self._shape = ""

    def url(self) -> str:
        """Return the URL of the empty database, for one test."""
        if self._url is None:
            self._server.drop_database(self._name)
            self._url = self._server.create_database(self._name, template=self._template)
            with self._connect() as admin:
                self._shape = shape(admin)
        return self._url

    def empty(self) -> None:
        """Close connections left by a test, and remove the rows that it wrote."""
        try:
            with self._connect() as admin:
                admin.execute(END_OTHERS)
                if shape(admin) == self._shape:
                    truncate(admin)
                else:
                    self._url = None
        except psycopg.errors.OperationalError as error:
            if "does not exist" not in str(error):
                raise
            self._url = None

    def _connect(self) -> psycopg.Connection[tuple[str]]:
        return psycopg.connect(self._server.admin_url(self._name), autocommit=True)


def shape(admin: psycopg.Connection[tuple[str]]) -> str:
    """Return a digest of the database's schema; empty if it cannot be read."""
    try:
        found = admin.execute(SHAPE).fetchone()
    except psycopg.errors.UndefinedTable:
        return ""
    return found[0] if found else ""


def truncate(admin: psycopg.Connection[tuple[str]]) -> None:
    """Empty the tables that were written to, and reset their sequences."""
    if names := [name for (name,) in admin.execute(WRITTEN)]:
        tables = sql.SQL(", ").join(map(sql.Identifier, names))
        admin.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
