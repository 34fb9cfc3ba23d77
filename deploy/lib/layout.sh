# shellcheck shell=bash
#
# Where everything is, the system user, and files that an operator may change and upgrades leave alone.

OPT=/opt/overheard
RELEASES=$OPT/releases
CURRENT=$OPT/current
ETC=/etc/overheard
SECRETS=$ETC/secrets   # the processes' own
OPERATOR=$ETC/operator # root's: the owner of the database, RabbitMQ's publisher
STATE=/var/lib/overheard
LOGS=/var/log/overheard
BACKUPS=/var/backups/overheard
WRAPPER=/usr/local/bin/overheard
SHIPPED=$OPERATOR/shipped # what this program wrote itself: a line for each file, its SHA-256 and its path

make_account() {
    part=account
    if ! id overheard >/dev/null 2>&1; then
        change "make the system user overheard" \
            useradd --system --user-group --home-dir "$STATE" --no-create-home --shell /usr/sbin/nologin overheard
    fi
    folder $OPT root:root 755
    folder $RELEASES root:root 755
    folder $ETC root:root 755
    folder $ETC/supervisord.d root:root 755
    folder $SECRETS overheard:overheard 700
    folder $OPERATOR root:root 700
    folder $STATE overheard:overheard 750
    folder $LOGS overheard:overheard 750
    folder $BACKUPS root:root 700
}

# folder PATH OWNER MODE
folder() {
    [[ $(stat -c %U:%G:%a "$1" 2>/dev/null) == "$2:$3" ]] && return
    change "make the folder $1 ($2, mode $3)" install -d -o "${2%:*}" -g "${2#*:}" -m "$3" "$1"
}

# ship SOURCE TARGET OWNER MODE: puts a file in place, and keeps it up to date for as long as nobody else changes it.
# Sets `shipped` when it did.
ship() {
    shipped=
    if [[ -e $2 ]] && cmp -s "$1" "$2"; then
        if [[ $(stat -c %U:%G:%a "$2") != "$3:$4" ]]; then
            change "give $2 to $3, mode $4" own "$2" "$3" "$4"
        fi
        recorded "$2" || [[ $dry_run ]] || record "$2"
    elif [[ ! -e $2 ]] || recorded "$2" || pristine "$2"; then
        change "write $2" place "$1" "$2" "$3" "$4"
        shipped=yes
    else
        keep_theirs "$1" "$2" "$3" "$4"
    fi
}

# The operator's word counts. What a newer release would have written is put beside it.
keep_theirs() {
    local sum
    sum=$(sha256sum <"$1")
    if grep -qsxF "${sum%% *}  $2" "$SHIPPED"; then
        return # the change is the operator's alone
    fi
    if ! cmp -s "$1" "$2.new"; then
        change "leave $2 as it was changed here, and write what is new to $2.new" own_copy "$1" "$2.new" "$3" "$4"
    fi
}

own_copy() {
    write_file "$2" "$3" "$4" <"$1"
}

# write_file PATH OWNER MODE: standard input into a file, whole or not at all.
write_file() {
    install -o "${2%:*}" -g "${2#*:}" -m "$3" /dev/null "$1.part"
    cat >"$1.part"
    mv -T "$1.part" "$1"
}

own() {
    chown "$2" "$1"
    chmod "$3" "$1"
}

place() {
    mkdir -p "$(dirname "$2")"
    own_copy "$@"
    rm -f "$2.new"
    record "$2"
}

# Whether a file is still what was last written there by us …
recorded() {
    [[ -e $SHIPPED ]] && grep -qsxF "$(sha256sum "$1")" "$SHIPPED"
}

# Whether it was ever written there by us, whatever became of it.
shipped_once() {
    [[ -e $SHIPPED ]] && cut -c 67- "$SHIPPED" | grep -xF "$1" >/dev/null
}

record() {
    {
        awk -v path="$1" 'substr($0, 67) != path' "$SHIPPED" 2>/dev/null || true
        sha256sum "$1"
    } >"$SHIPPED.part"
    mv -T "$SHIPPED.part" "$SHIPPED"
}

# … or by its Debian package.
pristine() {
    local sum
    sum=$(md5sum <"$1")
    grep -qF " $1 ${sum%% *}" < <(dpkg-query --show --showformat='${Conffiles}\n' 2>/dev/null)
}

random_password() {
    head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}
