# shellcheck shell=bash
#
# System services, through systemd.

service_runs() {
    systemctl --quiet is-active "$1"
}

service_enabled() {
    systemctl --quiet is-enabled "$1" 2>/dev/null
}

# ship_unit SOURCE PATH UNIT: systemd uses unit files as it has read them until a daemon-reload. NeedDaemonReload catches
# an earlier run that was interrupted here, but it does not cover every drop-in.
ship_unit() {
    ship "$1" "$2" root:root 644
    if [[ ${shipped-} || $(systemctl show --property NeedDaemonReload --value "$3") == yes ]]; then
        step "let systemd reload its changed units" systemctl daemon-reload
    fi
}

# keep_service NAME [CHANGED]: enable a service at boot and start it; restart it if CHANGED is not empty.
keep_service() {
    service_enabled "$1" || step "start $1 at boot" systemctl enable "$1"
    if ! service_runs "$1"; then
        step "start $1" systemctl start "$1"
    elif [[ ${2-} ]]; then
        step "restart $1, whose configuration has changed" systemctl restart "$1"
    fi
}

# await_port PORT WHAT LOGS: wait until a service listens. A service that crashes at its start counts as running at first.
await_port() {
    [[ ! $dry_run ]] || return 0
    local deadline=$((SECONDS + 30))
    until listener "$1" >/dev/null; do
        ((SECONDS < deadline)) || die_with_log "$2 does not listen on port $1" "Its logs: $3 (or: journalctl -n 50)"
        sleep 0.2
    done
}

# changed_since_start SERVICE FILE…: print "yes" if one of the files changed after the service's main process started. This
# also repairs an installation that was interrupted between change and restart.
changed_since_start() {
    local since file
    since=$(systemctl show --property ExecMainStartTimestamp --value --timestamp=unix "$1")
    for file in "${@:2}"; do
        # for a link, its own time; the start is known to the second
        if [[ $since == @* && -e $file ]] && (($(stat -c %Y "$file") > ${since#@} + 1)); then
            echo yes
            return
        fi
    done
}
