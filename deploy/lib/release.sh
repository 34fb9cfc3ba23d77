# shellcheck shell=bash
#
# A release: the code and its libraries in a folder of their own. `current` links to the running one.

KEPT_RELEASES=3
# The contents of a release.
RELEASE_FILES=(
    overheard actors producers deploy docs pipeline.toml pyproject.toml
    README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE
)
# Files without which the installation would fail half-way.
REQUIRED_FILES=(
    deploy/supervisord/supervisord.conf deploy/systemd/overheard.service
    deploy/rabbitmq/rabbitmq.conf deploy/rabbitmq/permissions deploy/postgresql/roles.sql
    deploy/prometheus/prometheus.yml deploy/requirements.lock
)

release=        # the folder of the release that is being installed
other_settings= # a pipeline.toml to be read instead of the server's

# check_source SOURCE: add a problem for each missing file.
check_source() {
    local file
    for file in "${RELEASE_FILES[@]}" "${REQUIRED_FILES[@]}"; do
        [[ -e $1/$file ]] || add_problem "$1/$file is missing." "Get a complete copy of Overheard, and run it from there."
    done
}

version_of() {
    sed -n 's/^__version__ = "\(.*\)"/\1/p' "$1/overheard/__init__.py"
}

# Print a hash of the code, by which an installation recognises the release that it was made from.
digest_of() {
    (
        cd "$1"
        find "${RELEASE_FILES[@]}" -type d \( -name __pycache__ -o -name '*.egg-info' \) -prune -o -type f -print0 |
            LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16
    )
}

current_release() {
    [[ -L $CURRENT ]] && basename "$(readlink "$CURRENT")"
}

# Print the complete release with that digest, if there is one. `.whole` is written last. The release also has to run:
# after a system upgrade to another Python, its virtual environment is broken.
release_of() {
    local mark
    for mark in "$RELEASES"/*/.whole; do
        if [[ -e $mark && $(<"$mark") == "$1" ]] && release_runs "$(dirname "$mark")"; then
            dirname "$mark"
            return
        fi
    done
    return 1
}

release_runs() { # RELEASE
    (cd / && "$1/venv/bin/overheard" --version) >/dev/null 2>&1 9>&-
}

# build_release SOURCE: set `release`, building it if needed. The running release is not touched.
build_release() {
    section=release
    local digest folder
    digest=$(digest_of "$1")
    release=$(release_of "$digest" || true)
    if [[ $release ]]; then
        [[ ! $dry_run ]] || report "$(basename "$release") is complete already"
        return
    fi
    for folder in "$RELEASES"/*/; do
        [[ -e $folder && ! -e $folder/.whole ]] && step "remove what an interrupted run has left, $folder" rm -rf "$folder"
    done
    release=$RELEASES/$(version_of "$1")-$(date -u +%Y%m%dT%H%M%SZ)
    step "copy the code to $release" copy_code "$1"
    NEXT_STEP="The running release was not touched. Fix this and rerun: $(this_command)" \
        step "install its libraries into $release/venv, each checked against its hash" make_venv
    step "seal $release" seal "$digest"
}

copy_code() {
    mkdir "$release"
    tar -C "$1" --exclude=__pycache__ --exclude='*.egg-info' -cf - "${RELEASE_FILES[@]}" | tar -C "$release" --no-same-owner -xf -
}

make_venv() {
    local pip=("$release/venv/bin/python" -m pip --disable-pip-version-check --no-input install --no-cache-dir)
    "$(find_python)" -m venv "$release/venv"
    "${pip[@]}" --require-hashes --requirement "$release/deploy/requirements.lock"
    # The build backend is locked, too, so no index is needed here. Build in a copy, because builds leave files behind.
    local copy=$release/venv/source
    mkdir "$copy"
    tar -C "$release" --exclude=./venv -cf - . | tar -C "$copy" -xf -
    "${pip[@]}" --no-deps --no-build-isolation "$copy"
    rm -rf "$copy"
    release_runs "$release"
}

seal() {
    chown -R root:root "$release"
    chmod -R u=rwX,go=rX "$release"
    sync -f "$release" # a power cut must not leave a release that is marked as complete and is not
    printf '%s\n' "$1" >"$release/.whole.part"
    mv -T "$release/.whole.part" "$release/.whole"
}

# All processes are started through this link, which is replaced atomically.
switch_current() { # RELEASE
    section=release
    [[ $(readlink "$CURRENT" 2>/dev/null) != "$1" ]] || return 0
    step "switch $CURRENT to $(basename "$1")" point_current "$1"
}

point_current() {
    ln -sfn "$1" "$CURRENT.part"
    mv -T "$CURRENT.part" "$CURRENT"
}

# Remove old releases, except the running one, the given one and the newest ones.
prune_releases() { # PREVIOUS
    section=release
    local folder kept=0
    while IFS= read -r folder; do
        kept=$((kept + 1))
        if ((kept > KEPT_RELEASES)) && [[ $folder != "$(readlink "$CURRENT")" && $folder != "$1" ]]; then
            step "remove the old release $(basename "$folder")" rm -rf "$folder"
        fi
    done < <(find "$RELEASES" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %p\n' | sort -rn | cut -d ' ' -f 2-)
}

# Run the release's command line as the processes do; or, for as_owner, as root with the database owner's URL.
as_overheard() {
    (
        load_environment
        export HOME=$STATE
        cd "$STATE"
        exec setpriv --reuid overheard --regid overheard --init-groups "$release/venv/bin/overheard" "$@"
    )
}

as_owner() {
    if ! has_owner; then
        as_overheard "$@"
        return
    fi
    (
        load_environment
        export OVERHEARD_DATABASE__URL_FILE=$OPERATOR/database-owner-url
        cd /
        exec "$release/venv/bin/overheard" "$@"
    )
}
