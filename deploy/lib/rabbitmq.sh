# shellcheck shell=bash
#
# RabbitMQ: a node on loopback, our vhost, and users with only the permissions they need.

VHOST=overheard
RABBITMQ_ETC=/etc/rabbitmq
RABBITMQADMIN=$OPERATOR/rabbitmqadmin.conf
BROKER_TIMEOUT_SECONDS=120 # seconds for the node to start

install_rabbitmq() { # SOURCE
    section=rabbitmq
    if [[ $dry_run ]] && ! have_rabbitmq; then
        report "would configure it for loopback, enable and start it, and make the vhost $VHOST with its users"
        return
    fi
    if broker_is_shared; then
        report "it serves others, too: its configuration stays as it is. Ours is in $1/deploy/rabbitmq"
        keep_service rabbitmq-server
    else
        configure_broker "$1/deploy/rabbitmq"
    fi
    if [[ $dry_run ]] && ! service_runs rabbitmq-server; then
        report "would make the vhost $VHOST with its users, and delete the user guest"
        return
    fi
    await_broker
    make_vhost
    make_users "$1/deploy/rabbitmq/permissions"
}

# Somebody else's vhosts, or queues in the default one, or a configuration that is not ours.
broker_is_shared() {
    if [[ -e $RABBITMQ_ETC/rabbitmq.conf ]]; then
        ! ever_shipped $RABBITMQ_ETC/rabbitmq.conf
        return
    fi
    service_runs rabbitmq-server || return 1
    listed "" list_queues -p / name || grep -qvxE "/|$VHOST" <<<"$(listing list_vhosts name)"
}

configure_broker() { # FOLDER
    local was_running=
    # A new node name would hide a running node from the commands that stop it.
    if ! cmp -s "$1/rabbitmq-env.conf" $RABBITMQ_ETC/rabbitmq-env.conf && only_comments $RABBITMQ_ETC/rabbitmq-env.conf; then
        if service_runs rabbitmq-server; then
            was_running=yes
            step "stop rabbitmq-server, to configure it" systemctl stop rabbitmq-server
        fi
        step "write $RABBITMQ_ETC/rabbitmq-env.conf" place "$1/rabbitmq-env.conf" $RABBITMQ_ETC/rabbitmq-env.conf root:root 644
    fi
    local name
    for name in rabbitmq-env.conf advanced.config enabled_plugins rabbitmq.conf; do
        # rabbitmq-plugins writes this one
        [[ $name != enabled_plugins ]] || ! all_plugins "$1" || continue
        ship "$1/$name" $RABBITMQ_ETC/$name root:root 644
    done
    ship_unit "$1/epmd.socket.conf" /etc/systemd/system/epmd.socket.d/overheard.conf epmd.socket
    if epmd_is_open; then
        step "end epmd, which listens on every address: it starts again on loopback" end_epmd
    fi
    keep_service rabbitmq-server "${was_running:-$(changed_since_start rabbitmq-server $RABBITMQ_ETC/{rabbitmq.conf,rabbitmq-env.conf,advanced.config,enabled_plugins})}"
}

only_comments() {
    ! grep -qsvE '^[[:space:]]*(#|$)' "$1"
}

# Whether the plugins that are enabled include ours.
all_plugins() {
    local plugin
    for plugin in $(tr -d '[].' <"$1/enabled_plugins" | tr ',' ' '); do
        grep -qsw "$plugin" $RABBITMQ_ETC/enabled_plugins || return
    done
}

# Whatever speaks to RabbitMQ's node starts epmd, and without our rabbitmq-env.conf, on every address.
epmd_is_open() {
    awk '$4 == "0A" && $2 ~ /^0+:1111$/ { open = 1 } END { exit !open }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

end_epmd() {
    systemctl stop rabbitmq-server
    systemctl daemon-reload
    systemctl stop epmd.service epmd.socket
    systemctl start epmd.socket
}

await_broker() {
    [[ ! $dry_run ]] || return 0
    if ! rabbitmqctl -q await_startup --timeout $BROKER_TIMEOUT_SECONDS >>"$log" 2>&1 </dev/null 9>&-; then
        die_with_log "RabbitMQ does not start" "Its own logs are in /var/log/rabbitmq."
    fi
}

ctl() {
    timeout $BROKER_TIMEOUT_SECONDS rabbitmqctl -q "$@" 9>&-
}

# with_password COMMAND NAME PASSWORD: passwords go through standard input, as arguments are for all to see. Those of
# RabbitMQ 4 read it only when there is nothing but COMMAND and NAME, and wait for ever otherwise.
with_password() {
    timeout $BROKER_TIMEOUT_SECONDS rabbitmqctl "$1" "$2" <<<"$3" 9>&-
}

# listed PATTERN COMMAND…: whether a line of the listing matches. (Not a pipe: grep would end before its writer.)
listed() {
    local found
    found=$(listing "${@:2}") && [[ $found ]] && grep -qE "$1" <<<"$found"
}

listing() {
    ctl "$1" --no-table-headers "${@:2}" </dev/null
}

make_vhost() {
    listed "^$VHOST\$" list_vhosts name || step "make the vhost $VHOST" ctl add_vhost $VHOST
    # From RabbitMQ 4 on, a quorum queue gives a message up that came back twenty times, and without a dead-letter
    # exchange that is the end of it. Events come back whenever the ingress is killed, or waits long for a database;
    # delayed messages, whenever a stage restarts; dead letters, whenever they cannot be recorded. (Before 4 there is no
    # such limit, and -1 is not a number.)
    local often='^overheard\.|\.(DQ|XQ)$'
    if (($(broker_version) >= 4)) && ! grep -qF $'\tkeep\t'"$often"$'\t' <<<"$(listing list_policies -p $VHOST)"; then
        step "let queues keep what was delivered often" ctl set_policy -p $VHOST --apply-to quorum_queues \
            keep "$often" '{"delivery-limit": -1}'
    fi
}

broker_version() { # the first number of it
    local version
    version=$(ctl version </dev/null)
    echo "${version%%.*}"
}

make_users() { # PERMISSIONS
    if [[ ! -s $SECRETS/bus-url ]]; then
        step "make a password for the user overheard, $SECRETS/bus-url" write_bus_url
    fi
    keep_user overheard "$(password_in $SECRETS/bus-url)"
    # For people: publishes events, and looks around in RabbitMQ's management page.
    if [[ ! -s $RABBITMQADMIN ]]; then
        step "make a password for the user overheard_trigger, $RABBITMQADMIN" write_rabbitmqadmin
    fi
    keep_user overheard_trigger "$(sed -n 's/^password = //p' $RABBITMQADMIN)"
    listed $'^overheard_trigger\t\\[management\\]' list_users ||
        step "let overheard_trigger use the management page" ctl set_user_tags overheard_trigger management
    if [[ ! -e /root/.rabbitmqadmin.conf && ! -L /root/.rabbitmqadmin.conf ]]; then
        step "let root's rabbitmqadmin use it (/root/.rabbitmqadmin.conf)" ln -s $RABBITMQADMIN /root/.rabbitmqadmin.conf
    fi
    keep_permissions "$1"
    remove_guest
}

write_bus_url() {
    printf 'amqp://overheard:%s@127.0.0.1:5672/%s\n' "$(random_password)" $VHOST |
        write_file $SECRETS/bus-url overheard:overheard 600
}

write_rabbitmqadmin() {
    write_file $RABBITMQADMIN root:root 600 <<END
[default]
hostname = 127.0.0.1
port = 15672
username = overheard_trigger
password = $(random_password)
vhost = $VHOST
END
}

keep_user() { # NAME PASSWORD
    if ! listed "^$1"$'\t' list_users; then
        step "make the user $1" with_password add_user "$@"
    elif ! with_password authenticate_user "$@" >/dev/null 2>&1; then
        step "give the user $1 the password that is in its file" with_password change_password "$@"
    fi
}

keep_permissions() { # FILE
    local user configure write read
    while read -r user configure write read; do
        [[ $user && $user != \#* ]] || continue
        grep -qxF "$user"$'\t'"$configure"$'\t'"$write"$'\t'"$read" <<<"$(listing list_permissions -p $VHOST)" ||
            step "give $user only the permissions it needs" \
                ctl set_permissions -p $VHOST "$user" "$configure" "$write" "$read"
    done <"$1"
}

# Everybody on this machine knows guest's password, and guest may do everything.
remove_guest() {
    listed $'^guest\t' list_users || return 0
    if broker_is_shared; then
        report "the user guest stays, as others use this broker; without need, remove it: rabbitmqctl delete_user guest"
    else
        step "delete the user guest, whose password everybody knows" ctl delete_user guest
    fi
}

# After a restore, messages on the bus know rows that the database does not, or that are something else in it now.
# They are prompts: what is due is asked for again. Public events (overheard.…) and dead letters (….XQ) stay.
empty_stage_queues() {
    local queue messages
    while read -r queue messages; do
        [[ $queue != overheard.* && $queue != *.XQ && $messages != 0 ]] || continue
        step "empty the queue $queue, whose messages speak of a later database" ctl purge_queue -p $VHOST "$queue"
    done < <(listing list_queues -p $VHOST name messages)
}
