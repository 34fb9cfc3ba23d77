# shellcheck shell=bash
#
# PostgreSQL: a running cluster, Overheard's database and its two roles, reachable only from this machine.

cluster= # "VERSION NAME PORT" of the selected cluster

install_postgresql() { # SOURCE
    section=postgresql
    find_cluster
    if [[ ! $cluster ]]; then
        step "create a cluster" make_cluster
        find_cluster
    fi
    if [[ ! $cluster ]]; then # a dry run
        report "would configure and start it, and make the database overheard with its roles"
        return
    fi
    local version name port
    read -r version name port <<<"$cluster"
    configure_cluster "$1" "/etc/postgresql/$version/$name"
    keep_cluster "$version" "$name" "$port"
    make_database "$1" "$port"
}

# Select the cluster with Overheard's database, else the newest.
find_cluster() {
    cluster=
    command -v pg_lsclusters >/dev/null || return 0
    local version name port rest
    while read -r version name port rest; do
        cluster="$version $name $port"
        if [[ -e $SECRETS/database-url ]] && grep -qs ":$port/overheard" $SECRETS/database-url; then
            return
        fi
    done < <(pg_lsclusters --no-header | sort -n)
}

make_cluster() {
    local version
    version=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)
    pg_createcluster "$version" main
}

# Restrict the cluster to loopback only if it has no other databases: their clients may connect from elsewhere.
configure_cluster() { # SOURCE FOLDER
    if [[ -e $2/conf.d/overheard.conf ]] || ! others_use_cluster; then
        ship "$1/deploy/postgresql/postgresql.conf" "$2/conf.d/overheard.conf" postgres:postgres 644
    else
        report "it has other databases, too: its addresses are left alone"
    fi
    if ! grep -qF 'overheard,overheard_owner' "$2/pg_hba.conf"; then
        step "restrict Overheard's roles to its database ($2/pg_hba.conf)" \
            put_above "$1/deploy/postgresql/pg_hba.conf" "$2/pg_hba.conf"
    fi
}

put_above() {
    cat "$1" "$2" >"$2.part"
    own "$2.part" postgres:postgres 640
    mv -T "$2.part" "$2"
}

others_use_cluster() {
    local version name port
    read -r version name port <<<"$cluster"
    [[ $(cluster_state "$version" "$name") == online* ]] || return 1
    [[ $(psql_as_postgres "$port" postgres "SELECT count(*) FROM pg_database
        WHERE datname NOT IN ('postgres', 'template0', 'template1') AND datname NOT LIKE 'overheard%'") != 0 ]]
}

cluster_state() {
    pg_lsclusters --no-header | awk -v version="$1" -v name="$2" '$1 == version && $2 == name { print $4 }'
}

keep_cluster() { # VERSION NAME PORT
    local folder=/etc/postgresql/$1/$2
    service_enabled postgresql || step "start postgresql at boot" systemctl enable postgresql
    if [[ $(cluster_state "$1" "$2") != online* ]]; then
        check_port "$3" PostgreSQL "Stop that program, or give the cluster another port"
        abort_on_problems
        step "start the cluster $1/$2, on port $3" systemctl start "postgresql@$1-$2"
    elif [[ $(changed_since_start "postgresql@$1-$2" "$folder/conf.d/overheard.conf" "$folder/pg_hba.conf") ]]; then
        step "restart the cluster $1/$2, whose configuration has changed" systemctl restart "postgresql@$1-$2"
    fi
}

psql_as_postgres() { # PORT DATABASE STATEMENT
    (cd / && runuser -u postgres -- psql --no-psqlrc -qXAt -v ON_ERROR_STOP=1 -p "$1" -d "$2" -c "$3" 9>&-)
}

# Nothing to do if both roles can log in and were created by this release's statements.
make_database() { # SOURCE PORT
    local roles=$1/deploy/postgresql/roles.sql
    make_database_secret database-url overheard overheard:overheard "$SECRETS" "$2"
    make_database_secret database-owner-url overheard_owner root:root "$OPERATOR" "$2"
    if ! cmp -s "$roles" $OPERATOR/roles.sql ||
        ! can_login $SECRETS/database-url || ! can_login $OPERATOR/database-owner-url; then
        step "create the database overheard with the roles overheard_owner and overheard, or repair them" \
            apply_roles "$roles" "$2"
    fi
}

make_database_secret() { # NAME ROLE OWNER FOLDER PORT
    [[ ! -s $4/$1 ]] || return 0
    step "generate a password for the role $2, $4/$1" write_database_url "$@"
}

write_database_url() {
    printf 'postgresql://%s:%s@127.0.0.1:%s/overheard\n' "$2" "$(random_password)" "$5" | write_file "$4/$1" "$3" 600
}

apply_roles() { # ROLES PORT
    local OVERHEARD_OWNER_PASSWORD OVERHEARD_PASSWORD
    OVERHEARD_OWNER_PASSWORD=$(password_in $OPERATOR/database-owner-url)
    OVERHEARD_PASSWORD=$(password_in $SECRETS/database-url)
    export OVERHEARD_OWNER_PASSWORD OVERHEARD_PASSWORD
    cd /
    runuser -u postgres -- psql --no-psqlrc -p "$2" --file - postgres <"$1"
    own_copy "$1" $OPERATOR/roles.sql root:root 600
}

# can_login FILE: return 0 if the URL in FILE can connect. The password is passed in the environment: all users can see
# arguments.
can_login() {
    [[ -r $1 ]] || return 1
    (cd / && PGPASSWORD=$(password_in "$1") PGCONNECT_TIMEOUT=5 psql --no-psqlrc -qXAt \
        -d "$(sed -E 's|:[^:@]*@|@|' "$1")" -c 'SELECT 1' >/dev/null 2>&1 </dev/null 9>&-)
}

# Print the password in a generated URL, where it needs no quoting.
password_in() {
    sed -E 's|^[^:]*://[^:]*:([^@]*)@.*|\1|' "$1"
}
