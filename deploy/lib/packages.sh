# shellcheck shell=bash
#
# Debian packages: find missing ones, and install them without starting their services.

# The needs, with their titles and packages. have_<need> returns 0 if a need is met.
declare -A TITLE=(
    [python]="Python 3.11 or newer with venv"
    [postgresql]="PostgreSQL 15 or newer"
    [rabbitmq]="RabbitMQ"
    [supervisor]="supervisord"
    [prometheus]="Prometheus with promtool"
    [node_exporter]="Prometheus's node exporter"
    [certificates]="CA certificates"
    [timezones]="time zones"
    [grafana]="Grafana"
)
declare -A PACKAGE=(
    [python]=python3-venv
    [postgresql]=postgresql
    [rabbitmq]=rabbitmq-server
    [supervisor]=supervisor
    [prometheus]=prometheus
    [node_exporter]=prometheus-node-exporter
    [certificates]=ca-certificates
    [timezones]=tzdata
    [grafana]=grafana
)

APT_LOCK_TIMEOUT_SECONDS=120 # a machine that has just booted is often busy with unattended-upgrades
POLICY=/usr/sbin/policy-rc.d
POLICY_ASIDE=/usr/sbin/policy-rc.d.before-overheard
POLICY_MARK="Written by Overheard's deploy/install"
CLUSTER_CONF=/etc/postgresql-common/createcluster.d/overheard-test.conf

# Set the caller's `missing`.
find_missing() {
    local need
    missing=()
    for need in "$@"; do
        "have_$need" || missing+=("$need")
    done
}

have_python() {
    find_python >/dev/null
}

# Print the first Python that can create a virtual environment. It is run, not only looked up: pyenv has shims for versions
# that do not work, and Debian's python3 has no ensurepip without python3-venv.
find_python() {
    local name
    for name in python3.13 python3.12 python3.11 python3; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# tests/servers/postgres.py searches the same places.
have_postgresql() {
    local initdb version
    for initdb in /usr/lib/postgresql/*/bin/initdb "$(command -v initdb || true)"; do
        [[ -x $initdb ]] || continue
        version=$("$initdb" --version 2>/dev/null | grep -oE '[0-9]+' | head -n 1) || continue
        ((version >= 15)) && return
    done
    return 1
}

# tests/servers/rabbitmq.py needs the package's own scripts, which any user can run.
have_rabbitmq() {
    [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] && command -v epmd >/dev/null
}

have_supervisor() {
    command -v supervisord >/dev/null && command -v supervisorctl >/dev/null
}

have_prometheus() {
    command -v prometheus >/dev/null && command -v promtool >/dev/null
}

have_node_exporter() {
    command -v prometheus-node-exporter >/dev/null
}

have_certificates() {
    [[ -s /etc/ssl/certs/ca-certificates.crt ]]
}

have_timezones() {
    [[ -e /usr/share/zoneinfo/Etc/UTC ]]
}

have_grafana() {
    command -v grafana-server >/dev/null
}

require_root_on_debian() {
    local what
    what=$(titles "$@")
    if ! command -v apt-get >/dev/null || [[ ! -e /etc/debian_version ]]; then
        die "missing: $what." "This is neither Debian nor Ubuntu: install them with this system's own packages."
    fi
    if ((EUID != 0)); then
        die "missing: $what." "Install them, as root:  $(this_command)"
    fi
}

# install_packages NEED…: install packages; those that would start a service are kept from doing so.
install_packages() {
    local -a wanted services
    read -ra wanted <<<"$(packages "$@")"
    read -ra services <<<"$(new_services "$@" | xargs)"
    [[ $log ]] || log=$(mktemp /tmp/overheard-install.XXXXXX)
    say "installing $(titles "$@"): ${wanted[*]} (log: $log)"
    on_exit release_services
    hold_services "$@"
    finish_interrupted || die_with_log "dpkg --configure -a failed"

    known_to_apt "${wanted[@]}" || apt_get update || die_with_log "apt-get update failed"
    if ! apt_get install "${wanted[@]}"; then
        # Outdated package lists name files that the mirror has replaced.
        say "trying again with fresh package lists"
        apt_get update || die_with_log "apt-get update failed"
        apt_get install "${wanted[@]}" || die_with_log "apt-get install ${wanted[*]} failed"
    fi
    disable_services "${services[@]}"
    release_services
    off_exit
    say "installed: ${wanted[*]}"
}

# Return 0 if an installation of packages was interrupted, by a kill or a power cut. Their programs may exist already.
interrupted() {
    [[ -n $(ls -A /var/lib/dpkg/updates 2>/dev/null) || -n $(dpkg --audit 2>/dev/null) ]]
}

finish_interrupted() {
    ! interrupted || DEBIAN_FRONTEND=noninteractive dpkg --configure -a >>"$log" 2>&1 </dev/null 9<&-
}

known_to_apt() {
    local package
    for package in "$@"; do
        apt-cache show --quiet=2 "$package" >/dev/null 2>&1 || return
    done
}

# Run apt-get quietly. apt-get itself waits for dpkg's lock, but not for the locks of lists and downloads.
apt_get() {
    local deadline=$((SECONDS + APT_LOCK_TIMEOUT_SECONDS)) action=$1 output status=0
    shift
    output=$(mktemp)
    until DEBIAN_FRONTEND=noninteractive apt-get "$action" --yes --quiet --no-install-recommends \
        -o DPkg::Lock::Timeout="$APT_LOCK_TIMEOUT_SECONDS" -o Dpkg::Use-Pty=0 -o APT::Update::Error-Mode=any \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        "$@" >"$output" 2>&1 </dev/null 9<&-; do
        if ! grep -q "Could not get lock" "$output" || ((SECONDS >= deadline)); then
            status=1
            break
        fi
        say "another program is installing packages; waiting"
        sleep 5
    done
    cat "$output" >>"$log"
    rm -f "$output"
    return "$status"
}

# Debian starts a service as soon as its package is installed, on every address. policy-rc.d with exit code 101 forbids it:
# the tests need only the programs, and on a server the services are configured first.
hold_services() {
    release_services # left by a killed run
    if [[ -e $POLICY || -L $POLICY ]]; then
        mv "$POLICY" "$POLICY_ASIDE"
    fi
    # It has no effect once this process has exited: a killed run must not keep services stopped forever.
    printf '#!/bin/sh\n# %s\n[ -d /proc/%d ] && exit 101\nexit 0\n' "$POLICY_MARK" $$ >"$POLICY"
    chmod 755 "$POLICY"

    if [[ $goal == test && " $* " == *" postgresql "* ]]; then
        # create no cluster, which would start at boot
        mkdir -p "$(dirname "$CLUSTER_CONF")"
        printf '# %s\ncreate_main_cluster = false\n' "$POLICY_MARK" >"$CLUSTER_CONF"
    fi
}

release_services() {
    if grep -qs "$POLICY_MARK" "$POLICY"; then
        rm -f "$POLICY"
    fi
    if [[ -e $POLICY_ASIDE || -L $POLICY_ASIDE ]]; then
        mv "$POLICY_ASIDE" "$POLICY"
    fi
    rm -f "$CLUSTER_CONF"
}

# Held services would start at the next boot: disable them, but never one that was installed before this run.
disable_services() {
    local service
    for service in "$@"; do
        # handles System V's links, and systemd's if it is installed
        update-rc.d "$service" disable >>"$log" 2>&1 || true
        if command -v systemctl >/dev/null; then
            systemctl disable "$service" >>"$log" 2>&1 || true
        fi
    done
}

# Print the services that the packages enable and that are not needed: for the tests all of them (PostgreSQL's service
# starts nothing without a cluster); on a server only Debian's own supervisord, as Overheard runs a separate one.
new_services() {
    local need
    for need in "$@"; do
        case $goal:$need in
            test:rabbitmq)
                echo rabbitmq-server
                command -v epmd >/dev/null || echo epmd.socket epmd.service
                ;;
            test:prometheus) echo prometheus ;;
            *:supervisor) echo supervisor ;;
        esac
    done
}

# Join needs, as titles and as packages.
titles() {
    local need text=
    for need in "$@"; do
        text+="${text:+, }${TITLE[$need]}"
    done
    echo "$text"
}

packages() {
    local need
    for need in "$@"; do
        echo -n "${PACKAGE[$need]} "
    done
}
