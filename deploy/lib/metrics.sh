# shellcheck shell=bash
#
# Where the processes serve their metrics: [metrics] host and port, read as the processes read them.

# A program's port is the base port plus its offset.
# generated: offsets (from overheard/stages.py, by make generate)
METRICS_OFFSETS=(0 5 8 10 20 30 40 50 60)
# end: offsets

# Settings for this run, from Overheard's own environment variables.
declare -A metrics=()

read_metrics_settings() {
    local port=${OVERHEARD_METRICS__PORT-} host=${OVERHEARD_METRICS__HOST-}
    if [[ $port ]] && { [[ ! $port =~ ^[0-9]{1,5}$ ]] || ((10#$port < 1 || 10#$port > 65000)); }; then
        add_problem "OVERHEARD_METRICS__PORT=$port cannot be the first of Overheard's ports." "Give a number from 1 to 65000."
        port=
    fi
    if [[ $host && ! $host =~ ^[0-9A-Za-z.:-]+$ ]]; then
        add_problem "OVERHEARD_METRICS__HOST=$host is not an address." "Give an address of this machine, bare."
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

# metrics_setting KEY: print the setting of this run, else of the environment file, else of pipeline.toml (before the first
# installation: the one to be installed), else nothing.
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

# Print the host under which this machine reaches the processes, ready for a URL.
metrics_host() {
    local host
    host=$(metrics_setting HOST)
    case $host in
        "" | 0.0.0.0 | ::) echo 127.0.0.1 ;;
        *:*) echo "[$host]" ;;
        *) echo "$host" ;;
    esac
}
