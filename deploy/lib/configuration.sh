# shellcheck shell=bash
#
# /etc/overheard: the configuration, the secrets, the environment that names them, and the command that reads it.

# Reddit's settings, from Overheard's own environment variables. Options set the same variables; they exist for the three
# settings that every installation needs, and keep the secret itself out of the arguments of processes.
declare -A reddit=()

read_reddit_settings() {
    local key name
    for key in CLIENT_ID USER_AGENT USERNAME; do
        name=OVERHEARD_REDDIT__$key
        reddit[$key]=${!name-}
        if [[ ${reddit[$key]} == *$'\n'* || ${reddit[$key]} =~ $SYSTEMD_UNSAFE_VALUE ]]; then
            add_problem "Reddit's $key has several lines, quotes around it, a backslash, or blanks at its ends." "Give it bare, on one line."
        fi
    done
    for key in CLIENT_SECRET PASSWORD; do
        name=OVERHEARD_REDDIT__$key
        reddit[$key]=${!name-}
        name+=_FILE
        read_secret_file "$key" "${!name-}"
    done
}

read_secret_file() { # KEY FILE
    [[ $2 && $2 != "$SECRETS"/* ]] || return 0
    if [[ ! -f $2 || ! -r $2 ]]; then
        add_problem "the file $2, with Reddit's ${1,,}, is missing or cannot be read." "Write the secret into it, or name another file."
    else
        reddit[$1]=$(<"$2")
    fi
}

write_configuration() { # SOURCE
    section=configuration
    ship "$1/pipeline.toml" $ETC/pipeline.toml root:overheard 640
    local file=$ETC/environment
    if [[ ! -e $file ]]; then
        step "write $file" own_copy "$1/deploy/environment" $file root:overheard 640
    fi
    local line
    while IFS= read -r line; do
        # a line that an operator has commented out stays out
        grep -qsE "^#? *${line%%=*}=" $file || [[ $dry_run && ! -e $file ]] ||
            step "add ${line%%=*} to $file" append "$line" $file
    done < <(grep '^OVERHEARD_' "$1/deploy/environment")
    write_reddit_settings $file
    [[ ! ${demo_reddit-} ]] || use_simulator $file
    install_simulator "$1"
    write_metrics_settings $file
    ship "$1/deploy/overheard" $WRAPPER root:root 755
}

append() {
    printf '%s\n' "$1" >>"$2"
}

write_reddit_settings() { # FILE
    local key
    for key in CLIENT_SECRET PASSWORD; do
        local secret=$SECRETS/reddit-${key,,}
        secret=${secret/_/-}
        if [[ ${reddit[$key]-} && ${reddit[$key]} != "$(cat "$secret" 2>/dev/null)" ]]; then
            step "write $secret" write_secret_text "${reddit[$key]}" "$secret"
        elif [[ ! -e $secret ]]; then
            step "make $secret, empty" write_secret_text "" "$secret"
        fi
    done
    for key in CLIENT_ID USER_AGENT USERNAME; do
        [[ ! ${reddit[$key]-} ]] || set_variable "OVERHEARD_REDDIT__$key" "${reddit[$key]}" "$1"
    done
}

write_secret_text() {
    printf '%s\n' "$1" | write_file "$2" overheard:overheard 600
}

# set_variable NAME VALUE FILE
set_variable() {
    grep -qsxF "$1=$2" "$3" || step "set $1 in $3" replace_variable "$@"
}

replace_variable() {
    {
        sed "/^$1=/d" "$3"
        printf '%s=%s\n' "$1" "$2"
    } | write_file "$3" root:overheard 640
}

# Point Overheard at the Reddit simulator, which runs under the same supervisord: to try everything without credentials.
# `standin` is the only client that the simulator accepts.
use_simulator() { # FILE
    set_variable OVERHEARD_REDDIT__CLIENT_ID standin "$1"
    set_variable OVERHEARD_REDDIT__USER_AGENT "linux:overheard:demo (by /u/standin)" "$1"
    set_variable OVERHEARD_REDDIT__REDDIT_URL http://127.0.0.1:8080 "$1"
    set_variable OVERHEARD_REDDIT__OAUTH_URL http://127.0.0.1:8080 "$1"
    if [[ $(cat $SECRETS/reddit-client-secret 2>/dev/null) != standin-secret ]]; then
        step "write the Reddit simulator's client secret" write_secret_text standin-secret $SECRETS/reddit-client-secret
    fi
}

# Install the simulator's program as RELEASE calls it: simulator.conf, or standin.conf in releases from before it was
# renamed. The other name's file goes: its command names a module that RELEASE does not have, and both use port 8080.
# An upgraded demo takes this way forward, and a failed upgrade takes it back.
install_simulator() { # RELEASE
    local simulator=$ETC/supervisord.d/simulator.conf standin=$ETC/supervisord.d/standin.conf file
    [[ ${demo_reddit-} || -e $simulator || -e $standin ]] || return 0
    if [[ -e $1/deploy/supervisord/simulator.conf ]]; then
        ship "$1/deploy/supervisord/simulator.conf" "$simulator" root:root 644
        [[ ! -e $standin ]] || retire "$standin"
    else
        file=$(mktemp)
        standin_program >"$file"
        ship "$file" "$standin" root:root 644
        rm -f "$file"
        [[ ! -e $simulator ]] || retire "$simulator"
    fi
}

# Print standin.conf as the older releases do: their installers had it in a script, not in a file.
standin_program() {
    local name=standin
    cat <<END
; Written by deploy/install --demo-reddit: a Reddit of our own. Remove this file, and the OVERHEARD_REDDIT__ lines
; of $ETC/environment, to use the real one.
[program:$name]
command = $CURRENT/venv/bin/python -m overheard.$name --port 8080
priority = 5
stdout_logfile = $LOGS/$name.log
redirect_stderr = true
END
}

# Export the lines of the environment file as systemd reads them: the rest of the line is the value, nothing is expanded.
load_environment() {
    local line
    unset "${!OVERHEARD_@}" # those of the shell that started this
    while IFS= read -r line; do
        [[ $line == [A-Z_]*=* ]] && export "${line?}"
    done <$ETC/environment
    [[ ! $other_settings ]] || export OVERHEARD_CONFIG=$other_settings
}

has_reddit_credentials() {
    grep -qE '^OVERHEARD_(SOURCES__)?REDDIT__CLIENT_ID=.' $ETC/environment 2>/dev/null ||
        grep -qE '^client_id *= *"[^"]' $ETC/pipeline.toml 2>/dev/null
}

# Print sqlite or postgresql, as installed; nothing before the first installation. When the file with the URL is lost,
# other traces decide: an empty database of the other kind would look as if all data were lost.
database_kind() {
    case $(cat $SECRETS/database-url 2>/dev/null) in
        sqlite:*) echo sqlite ;;
        postgres*) echo postgresql ;;
        *)
            if [[ -s $OPERATOR/database-owner-url ]]; then
                echo postgresql
            elif [[ -s $STATE/overheard.db ]]; then
                echo sqlite
            fi
            ;;
    esac
}

# The password of a database on another machine cannot be generated here.
check_database_url() {
    if [[ ! -s $SECRETS/database-url && -s $OPERATOR/database-owner-url ]] && ! on_this_machine $OPERATOR/database-owner-url; then
        add_problem "$SECRETS/database-url is missing or empty, and the database is on another machine." \
            "Write the URL of the role overheard there into it: postgresql://overheard:PASSWORD@HOST:5432/overheard"
    fi
}

on_this_machine() { # FILE
    grep -qE '@(127\.0\.0\.1|localhost|\[::1\])[:/]' "$1"
}

# systemd strips quotes, leading and trailing blanks, and backslashes from the environment file. The other readers (the
# `overheard` wrapper, this library) do not, so such values are refused.
SYSTEMD_UNSAFE_VALUE='^["'"'"'[:space:]]|\\|[[:space:]]$'

check_environment() {
    local line
    while IFS= read -r line; do
        if [[ $line == OVERHEARD_*=* && ${line#*=} =~ $SYSTEMD_UNSAFE_VALUE ]]; then
            add_problem "$ETC/environment: the value of ${line%%=*} is quoted, or has a backslash, or blanks at its ends." \
                "Write it bare: systemd and the overheard command read it differently. Put a secret into a file: ${line%%=*}_FILE."
        fi
    done < <(cat $ETC/environment 2>/dev/null)
}
