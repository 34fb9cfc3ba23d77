# shellcheck shell=bash
#
# Where the processes serve their metrics: [metrics] host and port, as they themselves read them.

# A program's port is the base and its own offset.
# generated: offsets (from overheard/stages.py, by make generate)
METRICS_OFFSETS=(0 5 10 20 30 40 50 60)
# end: offsets

# Settings that were given with this run, in Overheard's own environment variables.
declare -A metrics=()

read_metrics_settings() {
    local port=${OVERHEARD_METRICS__PORT-} host=${OVERHEARD_METRICS__HOST-}
    if [[ $port ]] && { [[ ! $port =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65000)); }; then
        add_problem "OVERHEARD_METRICS__PORT=$port cannot be the first of Overheard's ports." "Give a number from 1 to 65000."
        port=
    fi
    if [[ $host && ! $host =~ ^[0-9A-Za-z.:-]+$ ]]; then
        add_problem "OVERHEARD_METRICS__HOST=$host is no address." "Give an address of this machine, bare."
        host=
    fi
    metrics=([PORT]=$port [HOST]=$host)
}

write_metrics_settings() { # FILE
    local key
    for key in HOST PORT; do
        [[ ! ${metrics[$key]-} ]] || set_variable "OVERHEARD_METRICS__$key" "${metrics[$key]}" "$1"
    done
}

# metrics_setting KEY: as given with this run, else as in the environment's file, else as in pipeline.toml, which before
# the first installation is the one to be installed. Nothing where nobody says.
metrics_setting() {
    local value=${metrics[$1]-} file=$ETC/pipeline.toml
    [[ -e $file ]] || file=$SOURCE/pipeline.toml
    [[ $value ]] || value=$(sed -n "s/^OVERHEARD_METRICS__$1=//p" $ETC/environment 2>/dev/null | tail -n 1) || true
    [[ $value ]] || value=$(sed -nE '/^\[metrics\]/,/^\[/ s/^ *'"${1,,}"' *= *["'\'']?([^"'\''# ]*).*/\1/p' "$file" 2>/dev/null) || true
    echo "$value"
}

metrics_port() {
    local port
    port=$(metrics_setting PORT)
    echo "${port:-9400}"
}

# Where this machine reaches them, ready for a URL.
metrics_host() {
    local host
    host=$(metrics_setting HOST)
    case $host in
        "" | 0.0.0.0 | ::) echo 127.0.0.1 ;;
        *:*) echo "[$host]" ;;
        *) echo "$host" ;;
    esac
}
