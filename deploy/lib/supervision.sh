# shellcheck shell=bash
#
# supervisord with Overheard's processes: its configuration, its start at boot, and how the processes are.

SUPERVISORD_CONF=$ETC/supervisord.conf
PATIENCE=90        # seconds for all processes to be up: they import their libraries at the same time
DRAIN_PATIENCE=400 # seconds in which everybody ends what is in progress: more than the stop times of all programs

install_supervision() { # SOURCE
    part=supervisord
    ship "$1/deploy/supervisord/supervisord.conf" $SUPERVISORD_CONF root:root 644
    if has_systemd; then
        ship_unit "$1/deploy/systemd/overheard.service" /etc/systemd/system/overheard.service overheard
    else
        ship "$1/deploy/init.d/overheard" /etc/init.d/overheard root:root 755
    fi
}

start_supervision() {
    part=supervisord
    keep_service overheard "$(stale supervisord overheard $CURRENT $SUPERVISORD_CONF $ETC/environment $ETC/pipeline.toml \
        $SECRETS/* $ETC/supervisord.d/*.conf)"
    [[ $dry_run ]] || await_processes
}

ctl_supervisord() {
    (cd / && supervisorctl -c $SUPERVISORD_CONF "$@" 9>&-)
}

# What waits for Reddit's credentials cannot be up before they are there.
excused() {
    has_reddit_credentials || echo 'fetch:|recheck:'
}

# Wait until every process is RUNNING and says of itself that it is well. Prints who is not.
await_processes() {
    local deadline=$((SECONDS + PATIENCE)) ill excuse
    excuse=$(excused)
    until ill=$(ill_processes "$excuse") && [[ ! $ill ]]; do
        if ((SECONDS > deadline)); then
            tell '%s\n' "$(sed 's/^/    /' <<<"$ill")"
            return 1
        fi
        sleep 1
    done
}

# A line for each process that is not well; fails when supervisord does not answer.
ill_processes() { # EXCUSED
    local states
    if ! states=$(ctl_supervisord status 2>&1) && [[ $states != *RUNNING* && $states != *STARTING* && $states != *BACKOFF* ]]; then
        echo "supervisord does not answer: $states"
        return
    fi
    printf '%s\n' "$states" | grep -vE " RUNNING |^(${1:-none:})" || true
    "$CURRENT/venv/bin/python" "$CURRENT/deploy/lib/healthz.py" "$(metrics_port)" "${1:-none:}" "$(metrics_host)"
}

# Stop what makes work first, then what does it, each when it has ended what it holds. Messages stay in RabbitMQ.
drain() {
    part=supervisord
    if service_runs overheard; then
        change "stop the tick: nothing new falls due" ctl_stop tick
        change "stop the ingress: events wait in RabbitMQ" ctl_stop ingress
    fi
    # Whatever the service says of itself: one that is about to be started again does not run, and processes may have
    # outlived their supervisord.
    if ! quiet; then
        change "stop the stages when they have ended what they hold" stop_all
        [[ $dry_run ]] || await_end
    fi
}

quiet() {
    if has_systemd; then
        [[ $(systemctl is-active overheard) == @(inactive|failed|unknown) ]] || return
    fi
    [[ ! $(running_since supervisord overheard) && ! $(running_since python overheard) ]]
}

stop_all() {
    ! service_installed overheard || stop_service overheard
    start-stop-daemon --stop --oknodo --quiet --user overheard --name python --retry TERM/40/KILL/5
}

# A program that has not come up has nothing to stop.
ctl_stop() {
    ctl_supervisord stop "$1:*" || true
}

await_end() {
    local deadline=$((SECONDS + DRAIN_PATIENCE))
    until quiet; do
        ((SECONDS < deadline)) || give_up "processes of Overheard do not end" "See: ps -u overheard"
        sleep 0.2
    done
}
