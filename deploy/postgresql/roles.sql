-- The database and its two roles. Run it as PostgreSQL's superuser; it can be rerun at any time, also to change passwords.
--
--   OVERHEARD_OWNER_PASSWORD=… OVERHEARD_PASSWORD=… psql --no-psqlrc --file deploy/postgresql/roles.sql postgres
--
-- Passwords come from the environment, because every user of a machine can read the arguments of every program.
--
-- overheard_owner  owns the database and its tables; used by `overheard migrate`, backups and restores. No process uses it.
-- overheard        used by every process; reads and changes rows, and nothing else.
--
-- tests/integration/test_privileges.py tries what they may not do. pg_hba.conf keeps them out of other databases.

\set ON_ERROR_STOP on
\set QUIET on
\getenv owner_password OVERHEARD_OWNER_PASSWORD
\getenv password OVERHEARD_PASSWORD
-- Failing statements are written to the server's log, except these: they contain passwords.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET password_encryption = 'scram-sha-256';

\if :{?owner_password}
\else
  \set owner_password ''
\endif
\if :{?password}
\else
  \set password ''
\endif
SELECT :'owner_password' = '' OR :'password' = '' AS missing
\gset
\if :missing
  DO $$ BEGIN
    RAISE EXCEPTION 'set OVERHEARD_OWNER_PASSWORD and OVERHEARD_PASSWORD in the environment; nothing was changed';
  END $$;
\endif

SELECT format('CREATE ROLE %I', wanted)
FROM unnest(ARRAY['overheard_owner', 'overheard']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec

ALTER ROLE overheard_owner
  LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE overheard
  LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';

-- A stage's message may take five minutes (stages.py), so a statement may not take longer. A statement that waits for a
-- lock fails and is retried; an abandoned transaction must not hold its locks forever.
ALTER ROLE overheard SET statement_timeout = '5min';
ALTER ROLE overheard SET lock_timeout = '30s';
ALTER ROLE overheard SET idle_in_transaction_session_timeout = '60s';
-- Error details in the server's log quote rows, and channels' rows contain secrets.
ALTER ROLE overheard SET log_error_verbosity = 'terse';
ALTER ROLE overheard_owner SET log_error_verbosity = 'terse';

SELECT 'CREATE DATABASE overheard OWNER overheard_owner TEMPLATE template0 ENCODING ''UTF8'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'overheard')
\gexec

ALTER DATABASE overheard OWNER TO overheard_owner;
REVOKE ALL ON DATABASE overheard FROM PUBLIC;
REVOKE ALL ON DATABASE overheard FROM overheard;
GRANT CONNECT ON DATABASE overheard TO overheard;

\connect overheard

-- Tables that the processes' role created itself, before there were two roles.
REASSIGN OWNED BY overheard TO overheard_owner;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM overheard;
ALTER SCHEMA public OWNER TO overheard_owner;
GRANT USAGE ON SCHEMA public TO overheard;

-- Existing tables, and those that later migrations will create.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM overheard;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO overheard;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO overheard;
ALTER DEFAULT PRIVILEGES FOR ROLE overheard_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO overheard;
ALTER DEFAULT PRIVILEGES FOR ROLE overheard_owner IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO overheard;
