# shellcheck shell=bash
#
# Messages: one line per step, on stderr; the output of programs goes to the log.
# The entry script sets PROGRAM (deploy/install …) and may set dry_run and log.

section=   # the left column of the report: what the following lines concern
changes=0  # steps done, or to be done in a dry run
dry_run=${dry_run-}
log=${log-}
log_mark=0 # lines of the log before the current step

# The caller may disappear before the script ends (a broken connection, a closed pipe). The script and the programs that
# it calls go on; all messages are in the log, too.
trap '' HUP PIPE

# print_err FORMAT ARGUMENT…: messages go to stderr; stdout is for the result of commands that have one.
print_err() {
    # shellcheck disable=SC2059 # FORMAT is one
    printf "$@" >&2 2>/dev/null || true
}

say() {
    print_err '%s: %s\n' "$PROGRAM" "$1"
    write_to_log "$1"
}

# Errors are ignored: a full disk must not keep an upgrade from going back.
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
    [[ ${2-} ]] || wrong_usage "$1 requires a value"
}

# report TEXT: a line of the report without a step.
report() {
    print_err '  %-13s %s\n' "$section" "$1"
    write_to_log "$section: $1"
}

# step TEXT COMMAND…: make one change, or only print it in a dry run. TEXT is an imperative. Never call it where bash
# ignores failures (in an if, before && or ||): COMMAND may be a function with several commands.
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

# die_with_log WHAT [HINT…]: print the end of the log and what to do, then exit.
die_with_log() {
    local what=$1 hint
    shift
    print_err '%s\n' "$(tail -n "+$((log_mark + 1))" "$log" | tail -n 15 | sed 's/^/    /')"
    say "$what; the last lines of its output are above, all of it is in $log."
    for hint in "$@"; do
        say "$hint"
    done
    die "${NEXT_STEP:-Fix this and rerun: $(this_command)}"
}

# Print the command line of this run, to be copied.
this_command() {
    local sudo=
    if ((EUID != 0)) && command -v sudo >/dev/null; then
        sudo="sudo "
    fi
    echo "$sudo$(realpath "$0")${arguments:+ $arguments}"
}

# on_exit COMMAND: run COMMAND when the script ends, however it ends (except by kill -9). Last in, first out.
exit_commands=()

on_exit() {
    exit_commands+=("$1")
    trap run_exit_commands EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# Cancel the last on_exit.
off_exit() {
    unset 'exit_commands[-1]'
}

run_exit_commands() {
    local status=$?
    trap - EXIT
    while ((${#exit_commands[@]})); do
        local command=${exit_commands[-1]}
        off_exit
        # Each runs in a subshell: a failure does not stop the others, and inside the trap itself, bash 5.2 crashes at a
        # `return` from a loop over <(…) ("pop_var_context").
        set +e
        (
            set -e
            eval "$command"
        )
    done
    exit "$status"
}

# start_log FILE: write later messages to FILE, too. Only root can read it.
start_log() {
    [[ ! $dry_run ]] || return 0
    log=$1
    touch "$log"
    chmod 600 "$log"
    printf '\n== %s %s %s\n' "$(date -u +%FT%TZ)" "$PROGRAM" "${arguments-}" >>"$log"
}
