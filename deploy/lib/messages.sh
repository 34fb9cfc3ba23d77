# shellcheck shell=bash
#
# What a run says: one line for each change, on stderr; what the programs print goes to the log.
# The entry script sets PROGRAM (deploy/install …) and may set dry_run and log.

section=       # what the lines that follow are about
changes=0   # made, or to be made in a dry run
dry_run=${dry_run-}
log=${log-}
log_mark=0  # lines of the log before what is being done

# Who started this may be gone before it has ended (a connection that was cut, a closed pipe): the work goes on, and so
# do the programs that it calls. What is said is in the log, too.
trap '' HUP PIPE

# tell FORMAT ARGUMENT…: everything for people goes to stderr; stdout is the answer of those commands that have one.
print_err() {
    # shellcheck disable=SC2059 # FORMAT is one
    printf "$@" >&2 2>/dev/null || true
}

say() {
    print_err '%s: %s\n' "$PROGRAM" "$1"
    write_to_log "$1"
}

# A disk that is full must not keep an upgrade from going back.
write_to_log() {
    [[ ! $log || $dry_run ]] || printf '%s %s\n' "$(date -u +%FT%TZ)" "$1" 2>/dev/null >>"$log" || true
}

die() {
    local line
    for line in "$@"; do
        say "$line"
    done
    exit 1
}

wrong_usage() {
    say "$1"
    print_err '%s\n' "$USAGE"
    exit 2
}

require_value() { # OPTION [VALUE]
    [[ ${2-} ]] || wrong_usage "$1 wants a value"
}

# A line of the report that changes nothing.
report() {
    print_err '  %-13s %s\n' "$section" "$1"
    write_to_log "$section: $1"
}

# change TEXT COMMAND…: make one change, or only say so in a dry run. TEXT is an imperative. Never call it where
# bash ignores failures (in an if, before && or ||): COMMAND may be a function of several steps.
step() {
    local text=$1 status
    shift
    changes=$((changes + 1))
    if [[ $dry_run ]]; then
        print_err '  %-13s would %s\n' "$section" "$text"
        return
    fi
    report "$text"
    log_mark=$(wc -l <"$log" || echo 0)
    set +e
    (
        set -e
        "$@"
    ) >>"$log" 2>&1 </dev/null 9>&-
    status=$?
    set -e
    ((status == 0)) || die_with_log "$section: could not $text"
}

# die_with_log WHAT [HINT…]: the log's end, and what to do.
die_with_log() {
    local what=$1 hint
    shift
    print_err '%s\n' "$(tail -n "+$((log_mark + 1))" "$log" | tail -n 15 | sed 's/^/    /')"
    say "$what; the last lines about it are above, all of them in $log."
    for hint in "$@"; do
        say "$hint"
    done
    die "${NEXT_STEP:-Fix this and rerun: $(this_command)}"
}

# How this run was started, to be typed again.
this_command() {
    local sudo=
    if ((EUID != 0)) && command -v sudo >/dev/null; then
        sudo="sudo "
    fi
    echo "$sudo$(realpath "$0")${arguments:+ $arguments}"
}

# on_exit COMMAND: run when the script ends, however it ends (but for kill -9); the last one given runs first.
exit_commands=()

on_exit() {
    exit_commands+=("$1")
    trap run_exit_commands EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# What the last on_exit asked for is not needed any more.
off_exit() {
    unset 'exit_commands[-1]'
}

run_exit_commands() {
    local status=$?
    trap - EXIT
    while ((${#exit_commands[@]})); do
        local command=${exit_commands[-1]}
        off_exit
        # Each in a shell of its own: one that fails keeps none of the others from being run, and in the trap itself,
        # bash 5.2 ends at a `return` from a loop over <(…) ("pop_var_context").
        set +e
        (
            set -e
            eval "$command"
        )
    done
    exit "$status"
}

# start_log FILE: later lines go there. Only root reads it.
start_log() {
    [[ ! $dry_run ]] || return 0
    log=$1
    touch "$log"
    chmod 600 "$log"
    printf '\n== %s %s %s\n' "$(date -u +%FT%TZ)" "$PROGRAM" "${arguments-}" >>"$log"
}
