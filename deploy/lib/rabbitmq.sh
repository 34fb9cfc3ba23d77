# shellcheck shell=bash
#
# RabbitMQ: a node on loopback, Overheard's vhost, and users with only the permissions they need.

VHOST=overheard
RABBITMQ_ETC=/etc/rabbitmq
RABBITMQADMIN=$OPERATOR/rabbitmqadmin.conf
BROKER_TIMEOUT_SECONDS=120 # for the node to start, and for each rabbitmqctl

install_rabbitmq() { # SOURCE
    section=rabbitmq
    if [[ $dry_run ]] && ! have_rabbitmq; then
        report "would configure it for loopback, enable and start it, and make the vhost $VHOST with its users"
        return
    fi
    if broker_is_shared; then
        report "other applications use it, too: its configuration is left alone. Overheard's is in $1/deploy/rabbitmq"
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

# Return 0 if there are other vhosts, queues in the default one, or a configuration that Overheard did not write.
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
    # rabbitmq-env.conf comes before the other files: it changes the node's name, and a running node under the old name could
    # not be stopped any more. It replaces a file with comments only, whether dpkg has a record of that or not; the loop
    # below then keeps it up to date.
    if ! cmp -s "$1/rabbitmq-env.conf" $RABBITMQ_ETC/rabbitmq-env.conf && only_comments $RABBITMQ_ETC/rabbitmq-env.conf; then
        if service_runs rabbitmq-server; then
            was_running=yes
            step "stop rabbitmq-server, to configure it" systemctl stop rabbitmq-server
        fi
        step "write $RABBITMQ_ETC/rabbitmq-env.conf" place "$1/rabbitmq-env.conf" $RABBITMQ_ETC/rabbitmq-env.conf root:root 644
    fi
    local name
    for name in rabbitmq-env.conf advanced.config enabled_plugins rabbitmq.conf; do
        # rabbitmq-plugins writes this file, too
        [[ $name != enabled_plugins ]] || ! all_plugins "$1" || continue
        ship "$1/$name" $RABBITMQ_ETC/$name root:root 644
    done
    ship_unit "$1/epmd.socket.conf" /etc/systemd/system/epmd.socket.d/overheard.conf epmd.socket
    if epmd_is_open; then
        step "restart epmd, which listens on every address, on loopback" end_epmd
    fi
    keep_service rabbitmq-server "${was_running:-$(changed_since_start rabbitmq-server $RABBITMQ_ETC/{rabbitmq.conf,rabbitmq-env.conf,advanced.config,enabled_plugins})}"
}

only_comments() {
    ! grep -qsvE '^[[:space:]]*(#|$)' "$1"
}

# Return 0 if all plugins that Overheard needs are enabled.
all_plugins() {
    local plugin
    for plugin in $(tr -d '[].' <"$1/enabled_plugins" | tr ',' ' '); do
        grep -qsw "$plugin" $RABBITMQ_ETC/enabled_plugins || return
    done
}

# Every client of RabbitMQ's node starts epmd, and without Overheard's rabbitmq-env.conf on every address.
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

# with_password COMMAND NAME PASSWORD: pass the password on standard input, because all users can see arguments. RabbitMQ 4's
# commands read it only if there are no arguments but COMMAND and NAME, and otherwise wait forever.
with_password() {
    timeout $BROKER_TIMEOUT_SECONDS rabbitmqctl "$1" "$2" <<<"$3" 9>&-
}

# listed PATTERN COMMAND…: return 0 if a line of the listing matches. (Not a pipe: grep would exit before its writer.)
listed() {
    local found
    found=$(listing "${@:2}") && [[ $found ]] && grep -qE "$1" <<<"$found"
}

listing() {
    ctl "$1" --no-table-headers "${@:2}" </dev/null
}

make_vhost() {
    listed "^$VHOST\$" list_vhosts name || step "create the vhost $VHOST" ctl add_vhost $VHOST
    # From RabbitMQ 4 on, a quorum queue drops a message after twenty redeliveries if it has no dead-letter exchange. Events
    # are redelivered when the ingress is killed or waits long for the database, delayed messages when a stage restarts, and
    # dead letters when they cannot be recorded. (Before 4 there is no such limit, and -1 is not accepted.)
    local often='^overheard\.|\.(DQ|XQ)$'
    if (($(broker_version) >= 4)) && ! grep -qF $'\tkeep\t'"$often"$'\t' <<<"$(listing list_policies -p $VHOST)"; then
        step "let queues keep messages that were delivered often" ctl set_policy -p $VHOST --apply-to quorum_queues \
            keep "$often" '{"delivery-limit": -1}'
    fi
}

broker_version() { # the major version
    local version
    version=$(ctl version </dev/null)
    echo "${version%%.*}"
}

make_users() { # PERMISSIONS
    if [[ ! -s $SECRETS/bus-url ]]; then
        step "generate a password for the user overheard, $SECRETS/bus-url" write_bus_url
    fi
    keep_user overheard "$(password_in $SECRETS/bus-url)"
    # For people: publish events, and use RabbitMQ's management page.
    if [[ ! -s $RABBITMQADMIN ]]; then
        step "generate a password for the user overheard_trigger, $RABBITMQADMIN" write_rabbitmqadmin
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
        step "create the user $1" with_password add_user "$@"
    elif ! with_password authenticate_user "$@" >/dev/null 2>&1; then
        step "set the password of the user $1 to the one in its file" with_password change_password "$@"
    fi
}

keep_permissions() { # FILE
    local user configure write read
    while read -r user configure write read; do
        [[ $user && $user != \#* ]] || continue
        grep -qxF "$user"$'\t'"$configure"$'\t'"$write"$'\t'"$read" <<<"$(listing list_permissions -p $VHOST)" ||
            step "give $user only the permissions that it needs" \
                ctl set_permissions -p $VHOST "$user" "$configure" "$write" "$read"
    done <"$1"
}

# guest's password is public, and guest is an administrator.
remove_guest() {
    listed $'^guest\t' list_users || return 0
    if broker_is_shared; then
        report "the user guest stays, because other applications use this broker; if they do not need it: rabbitmqctl delete_user guest"
    else
        step "delete the user guest, whose password is public" ctl delete_user guest
    fi
}

# After a restore, messages on the bus may refer to rows that do not exist any more, or to other ones. They are prompts: the
# tick requests due work again. Public events (overheard.…) and dead letters (….XQ) stay.
empty_stage_queues() {
    local queue messages
    while read -r queue messages; do
        [[ $queue != overheard.* && $queue != *.XQ && $messages != 0 ]] || continue
        step "purge the queue $queue, whose messages refer to the replaced database" ctl purge_queue -p $VHOST "$queue"
    done < <(listing list_queues -p $VHOST name messages)
}
