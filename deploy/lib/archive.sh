# shellcheck shell=bash
#
# A backup is one tar file: manifest, SHA256SUMS, the database, and (of an installation) config/, secrets included.

FORMAT="overheard-backup 1"
# The time of the server's last backup: read by the node exporter's textfile collector, for the alert BackupMissing, and by
# overheard status.
BACKUP_MARK=/var/lib/prometheus/node-exporter/overheard.prom
# Free space that a backup leaves on RabbitMQ's disk: below 1,000 MB (rabbitmq.conf) RabbitMQ blocks publishers, and other
# programs keep writing during the backup.
BACKUP_RESERVE_MEGABYTES=1500
backup= # the file that was made last

declare -A manifest=()

# make_backup FOLDER KEEP: make a new backup in FOLDER, then remove all but the newest KEEP (0: keep all).
make_backup() {
    section=backup
    read_facts details
    mkdir -p "$1"
    check_disk_space "$1" "$(backup_megabytes "$1")" "a backup"
    abort_on_problems
    # left by killed runs
    find "$1" -maxdepth 1 -name '.backup.*' -mmin +600 -exec rm -rf {} +
    local staging
    staging=$(mktemp -d "$1/.backup.XXXXXX")
    on_exit "rm -rf '$staging'"
    backup=$1/overheard-$(date -u +%Y%m%dT%H%M%SZ).tar
    NEXT_STEP="No backup was made; older ones are unchanged." step "copy the database" dump_database "$staging"
    NEXT_STEP="No backup was made; older ones are unchanged." step "write $backup" write_archive "$staging" "$backup"
    off_exit
    rm -rf "$staging"
    verify_backup "$backup"
    report "$backup is complete and verified: $(du -h "$backup" | cut -f 1), $(tar -tf "$backup" | wc -l) files"
    [[ ! $installed ]] || step "record its time ($BACKUP_MARK)" mark_backup
    prune_backups "$1" "$2"
}

# backup_megabytes FOLDER: print the MB that must be free there. The copy of the database and the archive exist at the same
# time.
backup_megabytes() {
    local megabytes=$((2 * db[megabytes]))
    if [[ $installed ]] && shares_disk "$1" /var/lib/rabbitmq; then
        megabytes=$((megabytes + BACKUP_RESERVE_MEGABYTES))
    fi
    echo "$megabytes"
}

shares_disk() {
    [[ $(stat -c %d "$1") == "$(stat -c %d "$2" 2>/dev/null)" ]]
}

mark_backup() {
    mkdir -p "$(dirname "$BACKUP_MARK")"
    write_file "$BACKUP_MARK" root:root 644 <<END # the collector reads only *.prom, so never a partial file
# HELP overheard_backup_last_success_timestamp_seconds When deploy/backup last made a backup of the server and read it back (Unix time); before the first, when the nightly backups were set up.
# TYPE overheard_backup_last_success_timestamp_seconds gauge
overheard_backup_last_success_timestamp_seconds $(date +%s)
END
}

write_archive() { # STAGING FILE
    local staging=$1
    umask 077
    if [[ $installed ]]; then
        mkdir "$staging/config"
        tar -C $ETC --exclude='*.part' --exclude='*.new' -cf - . | tar -C "$staging/config" -xf -
    elif [[ -f ${OVERHEARD_CONFIG:-pipeline.toml} ]]; then
        mkdir "$staging/config"
        cp "${OVERHEARD_CONFIG:-pipeline.toml}" "$staging/config/pipeline.toml"
    fi
    cat >"$staging/manifest" <<END
$FORMAT
created $(date -u +%FT%TZ)
host $(uname -n)
version $(version_of "$SOURCE")
release $([[ ! $installed ]] || current_release)
database ${db[kind]}
schema ${db[schema]}
megabytes ${db[megabytes]}
END
    (
        cd "$staging"
        find . -type f ! -name 'SHA256SUMS*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum >SHA256SUMS
        local members=(manifest SHA256SUMS database.*)
        [[ ! -d config ]] || members+=(config)
        tar -cf backup.tar "${members[@]}"
    )
    sync -f "$staging/backup.tar"
    mv -T "$staging/backup.tar" "$2"
}

# verify_backup FILE: read all of it back and fill `manifest`. Exits with the reason if it is damaged; changes nothing.
verify_backup() {
    local line sums
    [[ -f $1 && -r $1 ]] || die "$1: no such file, or it cannot be read. Nothing was changed."
    if [[ $(tar -xOf "$1" manifest 2>/dev/null | head -n 1) != "$FORMAT" ]]; then
        die "$1 is not an Overheard backup, or its beginning is damaged. Nothing was changed." \
            "Backups are named overheard-….tar and are in $BACKUPS unless you put them elsewhere."
    fi
    # shellcheck disable=SC2016 # expanded by the command that tar calls for each member
    sums=$(tar -xf "$1" --to-command='printf "%s  %s\n" "$(sha256sum | cut -c 1-64)" "$TAR_FILENAME"' 2>/dev/null) ||
        die "$1 is damaged: it ends too early, or is not a tar file any more. Nothing was changed." "Use another backup."
    if ! diff -q <(tar -xOf "$1" SHA256SUMS | LC_ALL=C sort -k 2) \
        <(grep -v '  SHA256SUMS$' <<<"$sums" | LC_ALL=C sort -k 2) >/dev/null; then
        die "$1 is damaged: its content differs from its checksums. Nothing was changed." "Use another backup."
    fi
    manifest=()
    while IFS= read -r line; do
        manifest[${line%% *}]=${line#* }
    done < <(tar -xOf "$1" manifest)
    if [[ ${manifest[database]} == postgresql ]] && ! pg_restore --list < <(tar -xOf "$1" database.dump 2>/dev/null) >/dev/null 2>&1; then
        die "$1: pg_restore cannot read its database ($(pg_restore --version)). Nothing was changed."
    fi
}

prune_backups() { # FOLDER KEEP
    (($2)) || return 0
    local file
    while IFS= read -r file; do
        step "remove the old backup $file" rm -f "$file"
    done < <(find "$1" -maxdepth 1 -name 'overheard-[0-9]*Z.tar' | LC_ALL=C sort -r | tail -n "+$(($2 + 1))")
}

# Set up the nightly timer. The mark is written at once, so that a first backup that never comes is noticed, too.
install_backups() { # SOURCE
    section=backup
    local unit
    for unit in overheard-backup.service overheard-backup.timer; do
        ship_unit "$1/deploy/systemd/$unit" "/etc/systemd/system/$unit" "$unit"
    done
    service_enabled overheard-backup.timer || step "make a backup every night" systemctl enable --now overheard-backup.timer
    [[ -e $BACKUP_MARK ]] || step "count the age of the last backup from now on ($BACKUP_MARK)" mark_backup
}
