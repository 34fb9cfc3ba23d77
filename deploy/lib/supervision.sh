# shellcheck shell=bash
#
# supervisord with Overheard's processes: its configuration, its start at boot, and how the processes are.

SUPERVISORD_CONF=$ETC/supervisord.conf
SUPERVISOR_SERVER_URL=unix:///run/overheard/supervisor.sock
TARGETS=$ETC/targets.json             # what Prometheus scrapes (deploy/prometheus/prometheus.yml)
START_TIMEOUT_SECONDS=90        # seconds for all processes to be up: they import their libraries at the same time
DRAIN_TIMEOUT_SECONDS=400 # seconds in which everybody ends what is in progress: more than the stop times of all programs

install_supervision() { # SOURCE
    section=supervisord
    ship "$1/deploy/supervisord/supervisord.conf" $SUPERVISORD_CONF root:root 644
    ship_unit "$1/deploy/systemd/overheard.service" /etc/systemd/system/overheard.service overheard
}

start_supervision() {
    section=supervisord
    keep_service overheard "$(changed_since_start overheard $CURRENT $SUPERVISORD_CONF $ETC/environment $ETC/pipeline.toml \
        $SECRETS/* $ETC/supervisord.d $ETC/supervisord.d/*.conf)" # of the folder: when a file in it was removed
    [[ $dry_run ]] || await_processes
}

# Wait until every process is RUNNING and says of itself that it is well. Prints those that are not.
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

# run_process_script SCRIPT ARGUMENT…: what the running release's deploy/lib/SCRIPT.py says of the processes.
run_process_script() {
    SUPERVISOR_SERVER_URL=$SUPERVISOR_SERVER_URL \
        "$CURRENT/venv/bin/python" "$CURRENT/deploy/lib/$1.py" "${@:2}" 9>&-
}

# Tell Prometheus which processes there are: those that supervisord has now.
write_targets() {
    # A release that had a watcher tells Prometheus by itself.
    [[ -e $CURRENT/deploy/lib/targets.py ]] || return 0
    local found
    found=$(mktemp)
    run_process_script targets "$(metrics_port)" "$(metrics_host)" >"$found"
    cmp -s "$found" $TARGETS ||
        step "tell Prometheus which processes there are ($TARGETS)" own_copy "$found" $TARGETS root:root 644
    rm -f "$found"
}

# check_overrides SOURCE: supervisord does not start with an operator's section that adds to a program which the release
# does not have.
check_overrides() {
    local section
    while IFS= read -r section; do
        grep -qxF "$section" "$1/deploy/supervisord/supervisord.conf" ||
            add_problem "$ETC/supervisord.d: $section has no command, and this release has no such program." \
                "Take that section out; see $1/deploy/supervisord/supervisord.conf for those that there are."
    done < <(awk '
        /^\[/ { section = $1 }
        /^\[(program|eventlistener):/ { incomplete[section] }
        /^command[ \t]*[=:]/ { delete incomplete[section] }
        END { for (section in incomplete) print section }' $ETC/supervisord.d/*.conf 2>/dev/null)
}

# supervisord stops what makes work first, then what does it, each when it has ended what it holds. Messages stay in
# RabbitMQ.
drain() {
    section=supervisord
    # Whatever the service says of itself: one that is about to be started again does not run, and processes may have
    # outlived their supervisord.
    if ! all_stopped; then
        step "stop the tick, the ingress and the stages when they have ended what they hold" stop_all
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
        ((SECONDS < deadline)) || die_with_log "processes of Overheard do not end" "See: ps -u overheard"
        sleep 0.2
    done
}
