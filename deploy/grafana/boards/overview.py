"""Overview: is it working?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import DashboardRow, dashboard
from deploy.grafana.panels import Thresholds, stat_panel, table_panel, timeseries_panel
from deploy.grafana.queries import PanelQuery, gauge_max, increase, quantiles, rate

DISKS = 'job="node", fstype!~"tmpfs|ramfs|squashfs|fuse.*"'


def build() -> Dashboard:
    """Return the board for a wall screen: the first row is green if everything is OK."""
    return dashboard(
        "overheard-overview",
        "Overview",
        "Is it working? Freshness, mentions, deliveries, the oldest work, processes, the machine.",
        {
            "Now": [_figures()],
            "Freshness and work": [_freshness()],
            "What gets through": [_flow()],
            "Alerts and canary": [_alerts()],
            "Processes": [_processes(), _resources()],
            "Machine": [_machine()],
            "RabbitMQ": [_rabbitmq()],
        },
    )


def seconds_since(moment: str, *, job: str = "overheard", unless: str = "") -> PanelQuery:
    """Return the seconds since a timestamp.

    The newest sample of a day is used: when the exporting process dies, the age grows instead of disappearing.
    """
    age = f'time() - (max(max_over_time({moment}{{job="{job}"}}[1d])) > 0)'
    return PanelQuery(f"{age} unless {unless}" if unless else age)


def _figures() -> DashboardRow:
    return (
        stat_panel(
            "Alerts firing",
            "Alerts that fire now, except the Watchdog. Each is explained in docs/runbook.md.",
            "short",
            PanelQuery('count(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)'),
            Thresholds(bad=1),
        ),
        stat_panel(
            "Last tick",
            "How long ago the last tick succeeded. It finds due work every few seconds.",
            "s",
            seconds_since("overheard_tick_last_success_timestamp_seconds"),
            Thresholds(30, 120),
        ),
        stat_panel(
            "Oldest work",
            "Age of the oldest run, poll, delivery or digest that should have been done by now.",
            "s",
            gauge_max("overheard_oldest_work_seconds"),
            Thresholds(300, 900),
        ),
        stat_panel(
            "On time, 1 h",
            "Share of the last hour's mentions that were stored within 15 minutes of being written. Objective: 99 %.",
            "percentunit",
            PanelQuery("1 - overheard:item_to_stored_late:ratio_rate1h"),
            Thresholds(0.99, 0.9, below=True),
        ),
        stat_panel(
            "Mentions, 24 h",
            "Mentions stored for the first time in the last 24 hours.",
            "short",
            increase("overheard_mentions_stored_total", "24h"),
        ),
        stat_panel(
            "Delivered, 24 h",
            "Deliveries that were accepted in the last 24 hours.",
            "short",
            increase("overheard_deliveries_total", "24h", where='outcome="sent"'),
        ),
        stat_panel(
            "Dead letters",
            "Messages and events that could not be processed: overheard dead-letters list.",
            "short",
            gauge_max("overheard_dead_letters"),
            Thresholds(warn=1, bad=100),
        ),
        stat_panel(
            "Not answering",
            "Processes of Overheard whose metrics cannot be read. Empty: Prometheus has no processes to scrape.",
            "short",
            PanelQuery('count(up{job="overheard"} == 0) or 0 * count(up{job="overheard"})'),
            Thresholds(bad=1),
        ),
    )


def _freshness() -> DashboardRow:
    return (
        timeseries_panel(
            "Age of items when stored",
            "From being written on Reddit to being stored here. It includes the time between two runs (5 minutes by "
            "default), the wait for the budget, and a few seconds in the pipeline.",
            "s",
            quantiles("overheard_item_to_stored_seconds"),
            Thresholds(warn=900),
        ),
        timeseries_panel(
            "Oldest work",
            "Age of the oldest unfinished work, by kind. It rises in a straight line while nothing is done about it.",
            "s",
            gauge_max("overheard_oldest_work_seconds", by="work"),
            Thresholds(300, 900),
        ),
    )


def _flow() -> DashboardRow:
    return (
        timeseries_panel(
            "Items read",
            "Posts and comments read per second, by source, seen before or not.",
            "cps",
            rate("overheard_items_read_total", by="source"),
        ),
        timeseries_panel(
            "Mentions and deliveries",
            "Mentions stored and deliveries accepted, per second. A digest is one delivery of many mentions.",
            "cps",
            (
                rate("overheard_mentions_stored_total", "mentions stored"),
                rate("overheard_deliveries_total", "deliveries sent", where='outcome="sent"'),
            ),
        ),
        timeseries_panel(
            "Reddit's budget",
            "How far ahead requests to Reddit are reserved. Above 0, messages wait for their slots; the limit is "
            "5 minutes.",
            "s",
            gauge_max("overheard_reddit_budget_booked_seconds", "reserved ahead"),
            Thresholds(60, 120),
        ),
    )


def _alerts() -> DashboardRow:
    return (
        table_panel(
            "Alerts now",
            "Alerts that fire or are pending. The Watchdog always fires: it shows that alerting works.",
            PanelQuery("ALERTS"),
        ),
        stat_panel(
            "Canary",
            "How long ago the last synthetic item was delivered. Empty while the canary is off.",
            "s",
            seconds_since(
                "overheard_canary_last_delivered_timestamp_seconds",
                unless='max(overheard_canary_interval_seconds{job="overheard"}) == 0',
            ),
            Thresholds(600, 1800),
        ),
        stat_panel(
            "Last backup",
            "How long ago the last backup was made and verified; before the first, how long ago backups were set up. "
            "There is one every night.",
            "s",
            seconds_since("overheard_backup_last_success_timestamp_seconds", job="node"),
            Thresholds(25 * 3600, 26 * 3600),
        ),
    )


def _processes() -> DashboardRow:
    return (
        timeseries_panel(
            "Processes that answer",
            "up: the metrics can be read. down: they cannot, because the process has exited, was given up, or hangs.",
            "short",
            (
                PanelQuery('sum(up{job="overheard"})', "up"),
                PanelQuery('count(up{job="overheard"}) - sum(up{job="overheard"})', "down"),
            ),
            stacked=True,
        ),
        timeseries_panel(
            "Restarts, last hour",
            "How often processes were restarted, by program, intentionally or not.",
            "short",
            PanelQuery('sum by (program) (changes(process_start_time_seconds{job="overheard"}[1h]))', "{{program}}"),
            Thresholds(1, 4),
        ),
    )


def _resources() -> DashboardRow:
    return (
        timeseries_panel(
            "Memory",
            "Resident memory of each process. With 10,000 queries, a stage needs up to 100 MB.",
            "bytes",
            PanelQuery('process_resident_memory_bytes{job="overheard"}', "{{program}} {{instance}}"),
            Thresholds(warn=300e6),
        ),
        timeseries_panel(
            "CPU",
            "Cores that each process keeps busy. One Python process can use one core.",
            "percentunit",
            PanelQuery(
                'rate(process_cpu_seconds_total{job="overheard"}[$__rate_interval])', "{{program}} {{instance}}"
            ),
            Thresholds(warn=0.9),
        ),
    )


def _machine() -> DashboardRow:
    return (
        timeseries_panel(
            "CPU of the machine",
            "Share of all cores that are busy.",
            "percentunit",
            PanelQuery('1 - avg(rate(node_cpu_seconds_total{job="node", mode="idle"}[$__rate_interval]))', "busy"),
            Thresholds(0.8, 0.95),
            axis_max=1,
        ),
        timeseries_panel(
            "Memory of the machine",
            "Share of the memory that is in use; caches count as free.",
            "percentunit",
            PanelQuery(
                '1 - node_memory_MemAvailable_bytes{job="node"} / node_memory_MemTotal_bytes{job="node"}', "in use"
            ),
            Thresholds(0.8, 0.95),
            axis_max=1,
        ),
        timeseries_panel(
            "Disks",
            "Free share of each file system.",
            "percentunit",
            PanelQuery(
                f"node_filesystem_avail_bytes{{{DISKS}}} / node_filesystem_size_bytes{{{DISKS}}}", "{{mountpoint}}"
            ),
            Thresholds(0.2, 0.1, below=True),
            axis_max=1,
        ),
    )


def _rabbitmq() -> DashboardRow:
    return (
        stat_panel(
            "Alarms",
            "RabbitMQ's own alarms: memory, disk, files. While one is raised, publishers are blocked.",
            "short",
            PanelQuery(
                'max(rabbitmq_alarms_memory_used_watermark{job="rabbitmq"})'
                ' + max(rabbitmq_alarms_free_disk_space_watermark{job="rabbitmq"})'
                ' + max(rabbitmq_alarms_file_descriptor_limit{job="rabbitmq"})'
            ),
            Thresholds(bad=1),
        ),
        timeseries_panel(
            "RabbitMQ's memory",
            "Memory in use, and the limit at which publishers are blocked.",
            "bytes",
            (
                PanelQuery('max(rabbitmq_process_resident_memory_bytes{job="rabbitmq"})', "in use"),
                PanelQuery('max(rabbitmq_resident_memory_limit_bytes{job="rabbitmq"})', "limit"),
            ),
        ),
        timeseries_panel(
            "RabbitMQ's disk",
            "Free disk space, and the limit at which publishers are blocked.",
            "bytes",
            (
                PanelQuery('min(rabbitmq_disk_space_available_bytes{job="rabbitmq"})', "left"),
                PanelQuery('max(rabbitmq_disk_space_available_limit_bytes{job="rabbitmq"})', "limit"),
            ),
        ),
        timeseries_panel(
            "RabbitMQ's connections",
            "Connections of all clients. A process of Overheard has a few; a number that rises for days is a leak.",
            "short",
            PanelQuery('sum(rabbitmq_connections{job="rabbitmq"})', "connections"),
            Thresholds(warn=200),
        ),
    )
