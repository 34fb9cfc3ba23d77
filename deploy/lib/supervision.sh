# shellcheck shell=bash
#
# supervisord with Overheard's processes: its configuration, its start at boot, and the health of the processes.

SUPERVISORD_CONF=$ETC/supervisord.conf
SUPERVISOR_SERVER_URL=unix:///run/overheard/supervisor.sock
TARGETS=$ETC/targets.json # the processes that Prometheus scrapes (deploy/prometheus/prometheus.yml)
START_TIMEOUT_SECONDS=90  # for all processes: they import their libraries at the same time
DRAIN_TIMEOUT_SECONDS=400 # for all work in progress: more than the sum of all programs' stopwaitsecs

install_supervision() { # SOURCE
    section=supervisord
    ship "$1/deploy/supervisord/supervisord.conf" $SUPERVISORD_CONF root:root 644
    ship_unit "$1/deploy/systemd/overheard.service" /etc/systemd/system/overheard.service overheard
}

start_supervision() {
    section=supervisord
    keep_service overheard "$(changed_since_start overheard $CURRENT $SUPERVISORD_CONF $ETC/environment $ETC/pipeline.toml \
        $SECRETS/* $ETC/supervisord.d $ETC/supervisord.d/*.conf)" # the folder itself, for a file that was removed
    [[ $dry_run ]] || await_processes
}

# Wait until every process is RUNNING and healthy. On a timeout, print those that are not, and return 1.
await_processes() {
    local deadline=$((SECONDS + START_TIMEOUT_SECONDS)) unhealthy
    until unhealthy=$(run_process_script healthz "$(metrics_port)" none "$(metrics_host)") && [[ ! $unhealthy ]]; do
        if ((SECONDS > deadline)); then
            print_err '%s\n' "$(sed 's/^/    /' <<<"$unhealthy")"
            return 1
        fi
        sleep 1
    done
}

# run_process_script SCRIPT ARGUMENT…: run deploy/lib/SCRIPT.py of the running release.
run_process_script() {
    SUPERVISOR_SERVER_URL=$SUPERVISOR_SERVER_URL \
        "$CURRENT/venv/bin/python" "$CURRENT/deploy/lib/$1.py" "${@:2}" 9>&-
}

# Write the list of processes that Prometheus scrapes: those that supervisord has now.
write_targets() {
    # An older release, with a supervisord watcher, writes the list itself.
    [[ -e $CURRENT/deploy/lib/targets.py ]] || return 0
    local processes
    processes=$(mktemp)
    run_process_script targets "$(metrics_port)" "$(metrics_host)" >"$processes"
    cmp -s "$processes" $TARGETS ||
        step "update the list of processes for Prometheus ($TARGETS)" own_copy "$processes" $TARGETS root:root 644
    rm -f "$processes"
}

# check_overrides SOURCE: add a problem for an operator's section that overrides a program which the release does not have:
# supervisord would not start.
check_overrides() {
    local section
    while IFS= read -r section; do
        grep -qxF "$section" "$1/deploy/supervisord/supervisord.conf" ||
            add_problem "$ETC/supervisord.d: $section has no command, and this release has no such program." \
                "Remove that section; see $1/deploy/supervisord/supervisord.conf for the existing programs."
    done < <(awk '
        /^\[/ { section = $1 }
        /^\[(program|eventlistener):/ { incomplete[section] }
        /^command[ \t]*[=:]/ { delete incomplete[section] }
        END { for (section in incomplete) print section }' $ETC/supervisord.d/*.conf 2>/dev/null)
}

# supervisord stops the producers first, then the stages, each after its work in progress. Messages stay in RabbitMQ.
drain() {
    section=supervisord
    # The service's state is not enough: one that is about to be restarted is not running, and processes may have outlived
    # their supervisord.
    if ! all_stopped; then
        step "stop the tick, the ingress, the stream and the stages after their work in progress" stop_all
        [[ $dry_run ]] || await_all_stopped
    fi
}

all_stopped() {
    [[ $(systemctl is-active overheard) == @(inactive|failed|unknown) ]] || return
    ! start-stop-daemon --status --user overheard --name supervisord 2>/dev/null &&
        ! start-stop-daemon --status --user overheard --name python 2>/dev/null
}

stop_all() {
    systemctl stop overheard
    start-stop-daemon --stop --oknodo --quiet --user overheard --name python --retry TERM/40/KILL/5
}

await_all_stopped() {
    local deadline=$((SECONDS + DRAIN_TIMEOUT_SECONDS))
    until all_stopped; do
        ((SECONDS < deadline)) || die_with_log "processes of Overheard do not exit" "See: ps -u overheard"
        sleep 0.2
    done
}
