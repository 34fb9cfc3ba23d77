# shellcheck shell=bash
#
# The configured database, SQLite or PostgreSQL: its location and schema, copying it, and replacing it.

EXIT_MIGRATIONS_PENDING=3 # exit code of `overheard migrate --check`

declare -A db=() # kind, path (SQLite), schema, megabytes, and libpq's variables (PostgreSQL)

# Print a Python that has Overheard installed.
our_python() {
    local python
    for python in "${release:-/nowhere}/venv/bin/python" "$SOURCE/venv/bin/python" "$SOURCE/.venv/bin/python" "$CURRENT/venv/bin/python"; do
        [[ -x $python ]] && echo "$python" && return
    done
    die "there is no installation of Overheard here: run deploy/install first (or, in a checkout, make install)."
}

# Run database_facts.py, as the owner of the database if there is a separate one.
database_facts() {
    (
        local python
        python=$(our_python)
        if [[ $installed ]]; then
            load_environment
            ! has_owner || export OVERHEARD_DATABASE__URL_FILE=$OPERATOR/database-owner-url
        fi
        exec "$python" "$SOURCE/deploy/lib/database_facts.py" "$@" 9>&-
    )
}

has_owner() {
    [[ $(database_kind) == postgresql && -s $OPERATOR/database-owner-url ]]
}

# read_facts location|details: fill `db`.
read_facts() {
    local lines line
    lines=$(database_facts "$@") || die "the configured database cannot be read, see above. Nothing was changed."
    db=()
    while IFS= read -r line; do
        db[${line%%=*}]=${line#*=}
    done <<<"$lines"
}

# Run one of PostgreSQL's programs on the configured database. Passwords go through the environment.
with_database() {
    (
        local name
        for name in "${!db[@]}"; do
            [[ $name != PG* ]] || export "$name=${db[$name]}"
        done
        "$@"
    )
}

wanted_database() {
    local kind
    kind=$(database_kind)
    echo "${kind:-$([[ $sqlite ]] && echo sqlite || echo postgresql)}"
}

install_database() { # SOURCE
    section=database
    if [[ $(wanted_database) == sqlite ]]; then
        if [[ ! -s $SECRETS/database-url ]]; then
            step "keep the data in $STATE/overheard.db" write_sqlite_url
        fi
    elif [[ -s $SECRETS/database-url ]] && ! on_this_machine $SECRETS/database-url; then
        report "$SECRETS/database-url names another machine's PostgreSQL: nothing to do here"
    else
        install_postgresql "$1"
    fi
}

write_sqlite_url() {
    echo "sqlite:///$STATE/overheard.db" | write_file $SECRETS/database-url overheard:overheard 600
}

# Apply missing migrations. A database with data is backed up first; one that is newer than the code is left alone.
bring_schema_up_to_date() {
    section=database
    if [[ ! -x $release/venv/bin/overheard ]]; then
        report "would apply its missing migrations"
        return
    fi
    local answer status=0
    answer=$(as_owner migrate --check 2>&1 9>&-) || status=$?
    case $status in
        0) return ;;
        "$EXIT_MIGRATIONS_PENDING") ;;
        *) die "the database cannot be used, and was not touched:" "$answer" "The running release was not switched." ;;
    esac
    if [[ $answer != *"is empty"* && ! $dry_run ]]; then
        make_backup "$BACKUPS" 0
        section=database
    fi
    migrating=yes
    step "apply its migrations" as_owner migrate
}

# dump_database FOLDER: write a consistent copy while the database is in use.
dump_database() {
    if [[ ${db[kind]} == sqlite ]]; then
        database_facts copy "$1/database.sqlite"
    else
        with_database pg_dump --no-password --format=custom --lock-wait-timeout=60000 --file="$1/database.dump"
    fi
}

# Databases are created and renamed by the superuser of this machine's PostgreSQL; with --config, by the configured role.
as_admin() {
    if [[ $installed ]]; then
        (cd / && PGPORT=${db[PGPORT]-5432} runuser -u postgres -- "$@")
    else
        with_database "$@"
    fi
}

admin_psql() { # DATABASE [-v NAME=VALUE…], statements on standard input
    as_admin psql --no-psqlrc --no-password -qXAt -v ON_ERROR_STOP=1 "${@:2}" -d "$1" -f -
}

# restore_to_temporary FILE NAME: restore the backup's database as NAME.
restore_to_temporary() {
    if [[ ${db[kind]} == sqlite ]]; then
        tar -xOf "$1" database.sqlite >"$2"
        chmod --reference="$(dirname "${db[path]}")" "$2"
        chmod ug=rw,o=,a-x "$2"
        chown --reference="$(dirname "${db[path]}")" "$2" # the processes' user, which owns the folder
        database_facts sound "$2"
    else
        local owner
        owner=$(printf "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :'live';" |
            admin_psql postgres -v live="${db[PGDATABASE]}")
        as_admin createdb --no-password --template=template0 --encoding=UTF8 --owner="${owner:-${db[PGUSER]}}" "$2"
        copy_connect_rights "$2"
        tar -xOf "$1" database.dump | as_admin pg_restore --no-password --exit-on-error --dbname="$2"
    fi
}

# Grant on the new database exactly the rights that exist on the present one.
copy_connect_rights() { # NAME
    admin_psql postgres -v live="${db[PGDATABASE]}" -v new_name="$1" <<'END'
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'new_name')
WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'live')
\gexec
SELECT format('GRANT %s ON DATABASE %I TO %s', privilege_type, :'new_name', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
WHERE datname = :'live'
\gexec
END
}

drop_temporary() { # NAME
    if [[ ${db[kind]} == sqlite ]]; then
        rm -f "$1" "$1-wal" "$1-shm"
    else
        as_admin dropdb --no-password --if-exists "$1" </dev/null
    fi
}

# swap_in NEW OLD: the last step of a restore. The present database is kept as OLD.
swap_in() {
    if [[ ${db[kind]} == sqlite ]]; then
        local file=${db[path]} tail
        for tail in "" -wal -shm; do
            [[ ! -e $file$tail ]] || ln "$file$tail" "$2$tail"
        done
        rm -f "$file-wal" "$file-shm" # of the old file: SQLite would apply it to the new one
        mv -T "$1" "$file"
    else
        # both or neither
        admin_psql postgres -v live="${db[PGDATABASE]}" -v new_name="$1" -v old_name="$2" <<'END'
BEGIN;
SELECT format('ALTER DATABASE %I RENAME TO %I', :'live', :'old_name')
WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'live')
\gexec
ALTER DATABASE :"new_name" RENAME TO :"live";
COMMIT;
END
    fi
}

# swap_back NEW OLD: undo swap_in.
swap_back() {
    if [[ ${db[kind]} == sqlite ]]; then
        local file=${db[path]} tail
        rm -f "$file-wal" "$file-shm"
        mv -T "$file" "$1"
        for tail in -wal -shm ""; do
            [[ ! -e $2$tail ]] || mv -T "$2$tail" "$file$tail"
        done
    else
        admin_psql postgres -v live="${db[PGDATABASE]}" -v new_name="$1" -v old_name="$2" <<'END'
BEGIN;
ALTER DATABASE :"live" RENAME TO :"new_name";
SELECT format('ALTER DATABASE %I RENAME TO %I', :'old_name', :'live')
WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'old_name')
\gexec
COMMIT;
END
    fi
}

# Print a line for each other connection to the database.
other_connections() {
    [[ ${db[kind]} == postgresql ]] || return 0
    admin_psql postgres -v live="${db[PGDATABASE]}" <<'END'
SELECT format('process %s: %s, %s', pid, usename, application_name)
FROM pg_stat_activity WHERE datname = :'live' AND backend_type = 'client backend';
END
}
