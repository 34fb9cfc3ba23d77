# shellcheck shell=bash
#
# Prometheus with Overheard's rules, the node exporter, and Grafana if it is available.

PROMETHEUS_ETC=/etc/prometheus
GRAFANA_ETC=/etc/grafana/provisioning
GRAFANA_INI=/etc/grafana/grafana.ini
GRAFANA_DEFAULTS=/etc/default/grafana-server
GRAFANA_DATABASE=/var/lib/grafana/grafana.db
GRAFANA_PASSWORD=/etc/grafana/overheard-admin-password

install_monitoring() { # SOURCE
    section=prometheus
    [[ $dry_run ]] || write_targets
    if prometheus_is_foreign; then
        explain_how_to_include
    else
        configure_prometheus "$1"
        [[ $dry_run ]] || check_prometheus
        keep_service prometheus "$(changed_since_start prometheus /etc/default/prometheus $PROMETHEUS_ETC/prometheus.yml $PROMETHEUS_ETC/rules/*.yml)"
        await_port 9090 Prometheus /var/log/prometheus
    fi
    ship "$1/deploy/default/prometheus-node-exporter" /etc/default/prometheus-node-exporter root:root 644
    keep_service prometheus-node-exporter "$(changed_since_start prometheus-node-exporter /etc/default/prometheus-node-exporter)"
    await_port 9100 "the node exporter" /var/log/prometheus
    install_grafana "$1"
}

# Return 0 if the configuration was written neither by the package nor by Overheard. Edits of Overheard's file do not count.
prometheus_is_foreign() {
    local file=$PROMETHEUS_ETC/prometheus.yml
    [[ -e $file ]] && ! ever_shipped $file && ! unchanged_package_conffile $file
}

explain_how_to_include() {
    report "$PROMETHEUS_ETC/prometheus.yml is your own and is left alone. Add to it, and reload Prometheus:"
    report "    rule_files: [$CURRENT/deploy/prometheus/rules/*.yml]"
    report "    scrape_configs: those of $CURRENT/deploy/prometheus/prometheus.yml"
}

configure_prometheus() { # SOURCE
    local rules
    ship "$1/deploy/default/prometheus" /etc/default/prometheus root:root 644
    for rules in "$1"/deploy/prometheus/rules/*.yml; do
        [[ ! -e $rules ]] || ship "$rules" "$PROMETHEUS_ETC/rules/$(basename "$rules")" root:root 644
    done
    ship "$1/deploy/prometheus/prometheus.yml" $PROMETHEUS_ETC/prometheus.yml root:root 644
    [[ $dry_run ]] || grep -qF $TARGETS $PROMETHEUS_ETC/prometheus.yml ||
        report "$PROMETHEUS_ETC/prometheus.yml was changed here, and does not read $TARGETS, the list of processes: add the job overheard from $PROMETHEUS_ETC/prometheus.yml.new"
}

check_prometheus() {
    promtool check config $PROMETHEUS_ETC/prometheus.yml >>"$log" 2>&1 9>&- ||
        die_with_log "Prometheus would not start with its configuration"
}

install_grafana() { # SOURCE
    section=grafana
    if ! have_grafana; then
        if [[ ! $dry_run ]] || ! known_to_apt grafana; then
            report "it is not installed, and apt does not know it: docs/operations.md says how to import the dashboards"
        fi
        return
    fi
    local file
    while IFS= read -r file; do
        ship "$1/deploy/grafana/provisioning/$file" "$GRAFANA_ETC/$file" root:root 644
    done < <(cd "$1/deploy/grafana/provisioning" 2>/dev/null && find . -type f -printf '%P\n' | sort)
    # A Grafana that runs has its database, and with it a password, and an address that its operator may rely on.
    service_runs grafana-server || configure_grafana
    keep_service grafana-server "$(changed_since_start grafana-server $GRAFANA_ETC/*/*)"
}

# Before Grafana's first start: listen on loopback, and replace the default password of admin.
configure_grafana() {
    grep -qs '^GF_SERVER_HTTP_ADDR=' $GRAFANA_DEFAULTS ||
        step "let Grafana listen on loopback ($GRAFANA_DEFAULTS)" append "GF_SERVER_HTTP_ADDR=127.0.0.1" $GRAFANA_DEFAULTS
    if ! has_grafana_password; then
        step "generate a password for Grafana's user admin, $GRAFANA_PASSWORD" write_grafana_password
        # Grafana reads the file itself. Variables that end in __FILE work only in its container images.
        step "let Grafana read it ($GRAFANA_DEFAULTS)" \
            append "GF_SECURITY_ADMIN_PASSWORD='\$__file{$GRAFANA_PASSWORD}'" $GRAFANA_DEFAULTS
    fi
}

# Return 0 if a password is set. Grafana reads the setting only when it creates its database.
has_grafana_password() {
    [[ -e $GRAFANA_DATABASE ]] || grep -qs '^GF_SECURITY_ADMIN_PASSWORD' $GRAFANA_DEFAULTS ||
        grep -qsE '^ *admin_password *=' $GRAFANA_INI
}

write_grafana_password() {
    random_password | write_file "$GRAFANA_PASSWORD" root:grafana 640
}
