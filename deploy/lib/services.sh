# shellcheck shell=bash
#
# System services, through systemd.

service_runs() {
    systemctl --quiet is-active "$1"
}

service_enabled() {
    systemctl --quiet is-enabled "$1" 2>/dev/null
}

# ship_unit SOURCE PATH UNIT: systemd goes by the unit files that it has read, until it is told that they have changed. It
# says itself when it has to be told (a run may have been cut off here), but not of every drop-in.
ship_unit() {
    ship "$1" "$2" root:root 644
    if [[ ${shipped-} || $(systemctl show --property NeedDaemonReload --value "$3") == yes ]]; then
        step "let systemd read its changed units" systemctl daemon-reload
    fi
}

# keep_service NAME [STALE]: enabled at boot and running; restarted when STALE says so.
keep_service() {
    service_enabled "$1" || step "start $1 at boot" systemctl enable "$1"
    if ! service_runs "$1"; then
        step "start $1" systemctl start "$1"
    elif [[ ${2-} ]]; then
        step "restart $1, whose configuration has changed" systemctl restart "$1"
    fi
}

# await_port PORT WHAT LOGS: a service that has started and ended again counts as running for a while.
await_port() {
    [[ ! $dry_run ]] || return 0
    local deadline=$((SECONDS + 30))
    until listener "$1" >/dev/null; do
        ((SECONDS < deadline)) || die_with_log "$2 does not listen on port $1" "Its logs: $3 (or: journalctl -n 50)"
        sleep 0.2
    done
}

# changed_since_start SERVICE FILE…: prints "yes" when one of the files was changed after the service's main process had started. So an
# installation that was cut off between the change and the restart is repaired, too.
changed_since_start() {
    local since file
    since=$(systemctl show --property ExecMainStartTimestamp --value --timestamp=unix "$1")
    for file in "${@:2}"; do
        # of a link, when it was made; the time of start is known to a second
        if [[ $since == @* && -e $file ]] && (($(stat -c %Y "$file") > ${since#@} + 1)); then
            echo yes
            return
        fi
    done
}
