# shellcheck shell=bash
#
# Paths, the system user, and files that an operator may edit and upgrades then leave alone.

OPT=/opt/overheard
RELEASES=$OPT/releases
CURRENT=$OPT/current
ETC=/etc/overheard
SECRETS=$ETC/secrets   # read by the processes
OPERATOR=$ETC/operator # read by root only: the database owner's and RabbitMQ publisher's logins
STATE=/var/lib/overheard
LOGS=/var/log/overheard
BACKUPS=/var/backups/overheard
WRAPPER=/usr/local/bin/overheard
SHIPPED=$OPERATOR/shipped # a line for each file that was shipped: its SHA-256 and its path

make_account() {
    section=account
    if ! id overheard >/dev/null 2>&1; then
        step "make the system user overheard" \
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
    step "make the folder $1 ($2, mode $3)" install -d -o "${2%:*}" -g "${2#*:}" -m "$3" "$1"
}

# ship SOURCE TARGET OWNER MODE: install a file, and keep it up to date as long as it is not edited here.
# Sets `shipped` when it wrote the file.
ship() {
    shipped=
    if [[ -e $2 ]] && cmp -s "$1" "$2"; then
        if [[ $(stat -c %U:%G:%a "$2") != "$3:$4" ]]; then
            step "give $2 to $3, mode $4" own "$2" "$3" "$4"
        fi
        unchanged_since_shipped "$2" || [[ $dry_run ]] || record "$2"
    elif [[ ! -e $2 ]] || unchanged_since_shipped "$2" || unchanged_package_conffile "$2"; then
        step "write $2" place "$1" "$2" "$3" "$4"
        shipped=yes
    else
        keep_local_changes "$1" "$2" "$3" "$4"
    fi
}

# Leave a file that was edited here, and write the new release's version beside it as FILE.new.
keep_local_changes() {
    local sum
    sum=$(sha256sum <"$1")
    if grep -qsxF "${sum%% *}  $2" "$SHIPPED"; then
        return # the release has not changed it, only the operator has
    fi
    if ! cmp -s "$1" "$2.new"; then
        step "leave $2 as edited here, and write the new version to $2.new" own_copy "$1" "$2.new" "$3" "$4"
    fi
}

own_copy() {
    write_file "$2" "$3" "$4" <"$1"
}

# write_file PATH OWNER MODE: write standard input to a file, atomically.
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

# Return 0 if a file still has the content that was last shipped.
unchanged_since_shipped() {
    [[ -e $SHIPPED ]] && grep -qsxF "$(sha256sum "$1")" "$SHIPPED"
}

# Return 0 if a file was ever shipped to this path, changed since or not.
ever_shipped() {
    [[ -e $SHIPPED ]] && cut -c 67- "$SHIPPED" | grep -xF "$1" >/dev/null
}

# Take a file away: one that is unchanged is removed, one that was edited here is kept under a name that nothing reads.
retire() {
    if unchanged_since_shipped "$1"; then
        step "remove $1, which this release does not use" rm -f "$1"
    else
        step "rename $1, which this release does not use, to $1.old" mv -T "$1" "$1.old"
    fi
}

record() {
    {
        awk -v path="$1" 'substr($0, 67) != path' "$SHIPPED" 2>/dev/null || true
        sha256sum "$1"
    } >"$SHIPPED.part"
    mv -T "$SHIPPED.part" "$SHIPPED"
}

# Return 0 if a file still has the content of its Debian package.
unchanged_package_conffile() {
    local sum
    sum=$(md5sum <"$1")
    grep -qF " $1 ${sum%% *}" < <(dpkg-query --show --showformat='${Conffiles}\n' 2>/dev/null)
}

random_password() {
    head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}
