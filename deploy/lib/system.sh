# shellcheck shell=bash
#
# Preflight checks: can this machine take the installation? All problems are collected before anything is changed.

PACKAGES_MEGABYTES=2000 # the packages, with apt's downloads (measured: 1,000)
RELEASE_MEGABYTES=600   # a release with its libraries, and what pip needs to build it (measured: 250)
OLDEST_YEAR=2026        # an earlier clock is wrong, and certificates and schedules would fail

problems=()

add_problem() { # WHAT DO
    problems+=("$1" "    $2")
}

# Stop before anything is changed. A dry run prints the problems and goes on.
abort_on_problems() {
    ((${#problems[@]})) || return 0
    local line
    for line in "${problems[@]}"; do
        say "$line"
    done
    [[ $dry_run ]] || die "nothing was changed. Fix this and rerun: $(this_command)"
    say "these problems would stop the run before any change. Without them:"
}

check_root_on_debian() {
    if ! command -v apt-get >/dev/null || [[ ! -e /etc/debian_version ]]; then
        add_problem "this is neither Debian nor Ubuntu." \
            "Use Debian 12, Ubuntu 24.04 or newer; docs/operations.md says what a hand-made installation needs."
    elif ((EUID != 0)); then
        add_problem "only root can do this." "Run it as root: $(this_command)"
    elif [[ ! -d /run/systemd/system ]]; then
        add_problem "systemd does not run here." \
            "Use a machine that it has started; docs/operations.md says what a hand-made installation needs."
    fi
}

# check_disk_space FOLDER MB WHAT: add a problem if there is too little space. The folder need not exist yet.
check_disk_space() {
    local folder=$1 free
    while [[ ! -d $folder ]]; do folder=$(dirname "$folder"); done
    free=$(df --output=avail --block-size=1M "$folder" | tail -n 1)
    if ((free < $2)); then
        add_problem "$folder has $((free)) MB free, and $3 needs $2 MB." "Free some space there, or mount a larger disk."
    fi
}

# Without /etc/localtime, the time zone is UTC by definition. With a broken one, each program guesses.
check_clock() {
    local zone=${TZ-}
    zone=${zone#:}
    if [[ $zone && ! -e /usr/share/zoneinfo/$zone && ! $zone =~ ^[A-Z]{3,4}[-+]?[0-9]*$ ]]; then
        add_problem "the time zone TZ=$TZ of this shell is unknown." "Unset TZ, or set it to a name under /usr/share/zoneinfo."
    fi
    if [[ -L /etc/localtime && ! -e /etc/localtime && -d /usr/share/zoneinfo ]] ||
        [[ -e /etc/localtime && $(head -c 4 /etc/localtime) != TZif ]]; then
        add_problem "the machine's time zone is unknown: /etc/localtime names no zone." \
            "Set it: timedatectl set-timezone Etc/UTC  (or: ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime)"
    fi
    if (($(date -u +%Y) < OLDEST_YEAR)); then
        add_problem "the clock says $(date -u +%F), which is past." "Set it, or let systemd-timesyncd or chrony do it."
    fi
}

# check_port PORT WHAT ADVICE OWNER…: add a problem, with ADVICE, unless the port is free or used by one of these programs
# (or users, as user:NAME).
check_port() {
    local port=$1 what=$2 advice=$3 found
    shift 3
    found=$(listener "$port") || return 0
    local program=${found% *} user=${found#* } owner
    for owner in "$@"; do
        # shellcheck disable=SC2053 # OWNER is a pattern
        [[ $program == $owner || "user:$user" == "$owner" ]] && return 0
    done
    add_problem "port $port, which is for $what, is used by $program (user $user)." \
        "$advice; see: ss -ltnp 'sport = :$port'"
}

# Print "PROGRAM USER" of the process that listens where a server on 127.0.0.1:$1 would; return 1 if the port is free.
listener() {
    local inode link pid
    inode=$(awk -v port="$(printf ':%04X' "$1")" '
        $4 == "0A" && substr($2, length($2) - 4) == port {
            address = substr($2, 1, length($2) - 5)
            if (address ~ /^0+$/ || address ~ /0100007F$/ || address ~ /^0+1000000$/) { print $10; exit }
        }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    [[ $inode ]] || return 1
    link=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
    pid=${link#/proc/}
    pid=${pid%%/*}
    if [[ $pid ]]; then
        echo "$(</proc/"$pid"/comm) $(stat -c %U /proc/"$pid")"
    else
        echo "an-unknown-program unknown"
    fi
}

check_ports() {
    local base offset advice="Stop that program, or give it another port"
    check_port 5672 "RabbitMQ" "$advice" beam.smp
    check_port 15672 "RabbitMQ's management" "$advice" beam.smp
    check_port 15692 "RabbitMQ's metrics" "$advice" beam.smp
    check_port 25672 "RabbitMQ's tools" "$advice" beam.smp
    check_port 4369 "RabbitMQ's port mapper" "$advice" epmd systemd init
    check_port 9090 "Prometheus" "$advice" prometheus
    check_port 9100 "the node exporter" "$advice" 'prometheus-node*' node_exporter
    # One that runs may have been moved by its operator.
    { ! have_grafana && ! known_to_apt grafana; } || service_runs grafana-server || check_port 3000 Grafana "$advice" 'grafana*'
    base=$(metrics_port)
    advice="Stop that program, or move Overheard's ports: run this with OVERHEARD_METRICS__PORT=$((base + 100)) (or another)"
    for offset in "${METRICS_OFFSETS[@]}"; do
        check_port "$((base + offset))" "Overheard's metrics" "$advice" user:overheard
    done
}

LOCK=/run/overheard-deploy.lock     # not in /run/lock, where any user could hold it
DEPLOY_LOCK_TIMEOUT_SECONDS=7200 # an upgrade with a large database takes its time

# Only one command changes the installation at a time. Children close descriptor 9: a daemon would hold the lock forever.
lock_deployment() {
    [[ ! $dry_run ]] || return 0
    (umask 077 && : >>$LOCK)
    exec 9>>$LOCK
    if ! flock --nonblock 9; then
        [[ ${1-} == wait ]] || die "another deploy/… command is running on this machine; run this one when it has finished."
        say "waiting for another deploy/… command to finish"
        flock --timeout $DEPLOY_LOCK_TIMEOUT_SECONDS 9 || die "it has not finished in two hours; to find what hangs: ps ax | grep deploy/"
    fi
}

# open_installation now|wait: check for root, take the lock (`wait`: wait for it) and start the log, for scripts that work on
# an installation. With --config, none of that.
open_installation() {
    if [[ ! $installed ]]; then
        log=$(mktemp)
        on_exit "rm -f '$log'"
        return
    fi
    ((EUID == 0)) || die "only root can read the server's secrets. Run it as root: $(this_command) (or see --config)"
    [[ -e $CURRENT/.whole && -e $ETC/environment ]] ||
        die "there is no complete installation here. Nothing was changed. Run deploy/install first (or see --config)."
    lock_deployment "$1"
    start_log /var/log/overheard-install.log
}

# --config FILE: use another configuration than the server's.
use_configuration() {
    [[ -f $1 ]] || wrong_usage "$1: no such file"
    installed=
    OVERHEARD_CONFIG=$(realpath "$1")
    export OVERHEARD_CONFIG
}
