# shellcheck shell=bash
#
# /etc/overheard: the configuration, the secrets, the environment that names them, and the command that reads it.

# Settings of Reddit, from Overheard's own environment variables, which the command's options set.
declare -A reddit=()

take_reddit_settings() {
    local key name
    for key in CLIENT_ID USER_AGENT USERNAME; do
        name=OVERHEARD_REDDIT__$key
        reddit[$key]=${!name-}
        if [[ ${reddit[$key]} == *$'\n'* || ${reddit[$key]} =~ $READ_DIFFERENTLY ]]; then
            problem "Reddit's $key has several lines, quotes around it, a backslash, or blanks at its ends." "Give it bare, on one line."
        fi
    done
    for key in CLIENT_SECRET PASSWORD; do
        name=OVERHEARD_REDDIT__$key
        reddit[$key]=${!name-}
        name+=_FILE
        take_secret_file "$key" "${!name-}"
    done
}

take_secret_file() { # KEY FILE
    [[ $2 && $2 != "$SECRETS"/* ]] || return 0
    if [[ ! -f $2 || ! -r $2 ]]; then
        problem "the file $2, with Reddit's ${1,,}, is missing or cannot be read." "Write the secret into it, or name another."
    else
        reddit[$1]=$(<"$2")
    fi
}

write_configuration() { # SOURCE
    part=configuration
    ship "$1/pipeline.toml" $ETC/pipeline.toml root:overheard 640
    local file=$ETC/environment
    if [[ ! -e $file ]]; then
        change "write $file" own_copy "$1/deploy/environment" $file root:overheard 640
    fi
    local line
    while IFS= read -r line; do
        # a line that an operator has taken out by hand stays out where it is commented
        grep -qsE "^#? *${line%%=*}=" $file || [[ $dry_run && ! -e $file ]] ||
            change "add ${line%%=*} to $file" append "$line" $file
    done < <(grep '^OVERHEARD_' "$1/deploy/environment")
    write_reddit_settings $file
    [[ ! ${demo_reddit-} ]] || use_standin "$1" $file
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
            change "write $secret" write_secret_text "${reddit[$key]}" "$secret"
        elif [[ ! -e $secret ]]; then
            change "make $secret, empty" write_secret_text "" "$secret"
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
    grep -qsxF "$1=$2" "$3" || change "set $1 in $3" replace_variable "$@"
}

replace_variable() {
    {
        sed "/^$1=/d" "$3"
        printf '%s=%s\n' "$1" "$2"
    } | write_file "$3" root:overheard 640
}

# A Reddit of our own, under the same supervisord: for a look, and for a proof that everything works.
use_standin() { # SOURCE FILE
    set_variable OVERHEARD_REDDIT__CLIENT_ID standin "$2"
    set_variable OVERHEARD_REDDIT__USER_AGENT "linux:overheard:demo (by /u/standin)" "$2"
    set_variable OVERHEARD_REDDIT__REDDIT_URL http://127.0.0.1:8080 "$2"
    set_variable OVERHEARD_REDDIT__OAUTH_URL http://127.0.0.1:8080 "$2"
    if [[ $(cat $SECRETS/reddit-client-secret 2>/dev/null) != standin-secret ]]; then
        change "write the stand-in's client secret" write_secret_text standin-secret $SECRETS/reddit-client-secret
    fi
    ship "$1/deploy/supervisord/standin.conf" $ETC/supervisord.d/standin.conf root:root 644
}

# The environment file's lines, as systemd reads them: the rest of the line is the value, nothing is expanded.
load_environment() {
    local line
    unset "${!OVERHEARD_@}" # of the shell this was started from
    while IFS= read -r line; do
        [[ $line == [A-Z_]*=* ]] && export "${line?}"
    done <$ETC/environment
    [[ ! $other_settings ]] || export OVERHEARD_CONFIG=$other_settings
}

has_reddit_credentials() {
    grep -qE '^OVERHEARD_(SOURCES__)?REDDIT__CLIENT_ID=.' $ETC/environment 2>/dev/null ||
        grep -qE '^client_id *= *"[^"]' $ETC/pipeline.toml 2>/dev/null
}

# sqlite or postgresql, as installed; nothing when there is no installation yet. Of one that has lost the file that
# says so, what else there is tells it: an empty database of the other kind would look like the loss of everything.
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

# A password that is not of our making cannot be made anew.
check_database_url() {
    if [[ ! -s $SECRETS/database-url && -s $OPERATOR/database-owner-url ]] && ! on_this_machine $OPERATOR/database-owner-url; then
        problem "$SECRETS/database-url is missing or empty, and the database is on another machine." \
            "Write the URL of the role overheard there into it: postgresql://overheard:PASSWORD@HOST:5432/overheard"
    fi
}

on_this_machine() { # FILE
    grep -qE '@(127\.0\.0\.1|localhost|\[::1\])[:/]' "$1"
}

# systemd reads the file of the environment in its own way: it takes off quotes, blanks at the ends, and backslashes.
# Whoever else reads it does not, so they have no place there.
READ_DIFFERENTLY='^["'"'"'[:space:]]|\\|[[:space:]]$'

check_environment() {
    local line
    while IFS= read -r line; do
        if [[ $line == OVERHEARD_*=* && ${line#*=} =~ $READ_DIFFERENTLY ]]; then
            problem "$ETC/environment: the value of ${line%%=*} is quoted, or has a backslash, or blanks at its ends." \
                "Write it bare, as not everybody reads that in the same way; a secret goes into a file: ${line%%=*}_FILE."
        fi
    done < <(cat $ETC/environment 2>/dev/null)
}
