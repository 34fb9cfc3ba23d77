"""Overview: is it working?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import DashboardRow, board
from deploy.grafana.panels import Thresholds, curves, listing, number
from deploy.grafana.queries import PanelQuery, increase, latest, quantiles, rate

DISKS = 'job="node", fstype!~"tmpfs|ramfs|squashfs|fuse.*"'


def make() -> Dashboard:
    """The board for a wall: the first row is green when all is well."""
    return board(
        "overheard-overview",
        "Overview",
        "Is it working? Freshness, mentions, deliveries, the oldest work, processes, the machine.",
        {
            "Is it working?": [_figures()],
            "Freshness and work": [_freshness()],
            "What gets through": [_flow()],
            "Alerts and canary": [_alerts()],
            "Processes": [_processes(), _resources()],
            "Machine": [_machine()],
            "RabbitMQ": [_rabbitmq()],
        },
    )


def age_of(moment: str, *, job: str = "overheard", unless: str = "") -> PanelQuery:
    """How long ago ``moment`` was. The newest of a day: it grows old, and does not vanish, with who showed it."""
    age = f'time() - (max(max_over_time({moment}{{job="{job}"}}[1d])) > 0)'
    return PanelQuery(f"{age} unless {unless}" if unless else age)


def _figures() -> DashboardRow:
    return (
        number(
            "Alerts firing",
            "Alerts that fire now, the Watchdog aside. What each means: docs/runbook.md.",
            "short",
            PanelQuery('count(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)'),
            Thresholds(bad=1),
        ),
        number(
            "Last tick",
            "How long ago the last tick succeeded. It looks for what is due every few seconds.",
            "s",
            age_of("overheard_tick_last_success_timestamp_seconds"),
            Thresholds(30, 120),
        ),
        number(
            "Oldest work",
            "Age of the oldest run, poll, delivery or digest that should have been done by now.",
            "s",
            latest("overheard_oldest_work_seconds"),
            Thresholds(300, 900),
        ),
        number(
            "In time, 1 h",
            "Share of the last hour's mentions that were stored within 15 minutes of being written. Objective: 99 %.",
            "percentunit",
            PanelQuery("1 - overheard:item_to_stored_late:ratio_rate1h"),
            Thresholds(0.99, 0.9, low=True),
        ),
        number(
            "Mentions, 24 h",
            "Mentions stored for the first time in the last 24 hours.",
            "short",
            increase("overheard_mentions_stored_total", "24h"),
        ),
        number(
            "Delivered, 24 h",
            "Deliveries that a receiver took in the last 24 hours.",
            "short",
            increase("overheard_deliveries_total", "24h", where='outcome="sent"'),
        ),
        number(
            "Dead letters",
            "Messages and events that could not be worked on, and wait for somebody: overheard dead list.",
            "short",
            latest("overheard_dead_letters"),
            Thresholds(warn=1, bad=100),
        ),
        number(
            "Not answering",
            "Processes of Overheard whose metrics cannot be read. Empty: Prometheus knows of none at all.",
            "short",
            PanelQuery('count(up{job="overheard"} == 0) or 0 * count(up{job="overheard"})'),
            Thresholds(bad=1),
        ),
    )


def _freshness() -> DashboardRow:
    return (
        curves(
            "Age of items when stored",
            "From being written on Reddit to being stored here. It holds the time between two looks (5 minutes by "
            "default), the wait for the budget, and our own few seconds.",
            "s",
            quantiles("overheard_item_to_stored_seconds"),
            Thresholds(warn=900),
        ),
        curves(
            "Oldest work",
            "Age of the oldest work that is not done, by kind. It rises in a straight line while nobody does it.",
            "s",
            latest("overheard_oldest_work_seconds", by="work"),
            Thresholds(300, 900),
        ),
    )


def _flow() -> DashboardRow:
    return (
        curves(
            "Items read",
            "Posts and comments read from Reddit a second, seen before or not.",
            "cps",
            rate("overheard_items_fetched_total", "items read"),
        ),
        curves(
            "Mentions and deliveries",
            "Mentions stored, and deliveries taken by a receiver, a second. A digest is one delivery of many mentions.",
            "cps",
            (
                rate("overheard_mentions_stored_total", "mentions stored"),
                rate("overheard_deliveries_total", "deliveries sent", where='outcome="sent"'),
            ),
        ),
        curves(
            "Reddit's budget",
            "How far ahead requests to Reddit are reserved. Above 0, something waits for its turn; 5 minutes is the "
            "end of the line.",
            "s",
            latest("overheard_reddit_budget_booked_seconds", "line"),
            Thresholds(60, 120),
        ),
    )


def _alerts() -> DashboardRow:
    return (
        listing(
            "Alerts now",
            "Alerts that fire, or are about to (pending). The Watchdog always fires: it shows that alerting works.",
            PanelQuery("ALERTS"),
        ),
        number(
            "Canary",
            "How long ago the last synthetic item came out at the other end. Empty while the canary is off.",
            "s",
            age_of(
                "overheard_canary_last_delivered_timestamp_seconds",
                unless='max(overheard_canary_interval_seconds{job="overheard"}) == 0',
            ),
            Thresholds(600, 1800),
        ),
        number(
            "Last backup",
            "How long ago the last backup was made and read back; before the first, how long ago they were set up. "
            "There is one every night.",
            "s",
            age_of("overheard_backup_last_success_timestamp_seconds", job="node"),
            Thresholds(25 * 3600, 26 * 3600),
        ),
    )


def _processes() -> DashboardRow:
    return (
        curves(
            "Processes that answer",
            "Processes whose metrics can be read, and those of which they cannot: ended, given up, or hanging.",
            "short",
            (
                PanelQuery('sum(up{job="overheard"})', "up"),
                PanelQuery('count(up{job="overheard"}) - sum(up{job="overheard"})', "down"),
            ),
            stacked=True,
        ),
        curves(
            "Restarts, last hour",
            "How often processes were started anew, by program, asked for or not.",
            "short",
            PanelQuery('sum by (program) (changes(process_start_time_seconds{job="overheard"}[1h]))', "{{program}}"),
            Thresholds(1, 4),
        ),
    )


def _resources() -> DashboardRow:
    return (
        curves(
            "Memory",
            "Resident memory of each process. A stage needs up to 100 MB with 10,000 queries.",
            "bytes",
            PanelQuery('process_resident_memory_bytes{job="overheard"}', "{{program}} {{instance}}"),
            Thresholds(warn=300e6),
        ),
        curves(
            "CPU",
            "Cores that each process keeps busy. One Python process can use one.",
            "percentunit",
            PanelQuery(
                'rate(process_cpu_seconds_total{job="overheard"}[$__rate_interval])', "{{program}} {{instance}}"
            ),
            Thresholds(warn=0.9),
        ),
    )


def _machine() -> DashboardRow:
    return (
        curves(
            "CPU of the machine",
            "Share of all cores that is busy.",
            "percentunit",
            PanelQuery('1 - avg(rate(node_cpu_seconds_total{job="node", mode="idle"}[$__rate_interval]))', "busy"),
            Thresholds(0.8, 0.95),
            most=1,
        ),
        curves(
            "Memory of the machine",
            "Share of the memory that is in use; caches count as free.",
            "percentunit",
            PanelQuery(
                '1 - node_memory_MemAvailable_bytes{job="node"} / node_memory_MemTotal_bytes{job="node"}', "in use"
            ),
            Thresholds(0.8, 0.95),
            most=1,
        ),
        curves(
            "Disks",
            "Share of each file system that is left.",
            "percentunit",
            PanelQuery(
                f"node_filesystem_avail_bytes{{{DISKS}}} / node_filesystem_size_bytes{{{DISKS}}}", "{{mountpoint}}"
            ),
            Thresholds(0.2, 0.1, low=True),
            most=1,
        ),
    )


def _rabbitmq() -> DashboardRow:
    return (
        number(
            "Alarms",
            "RabbitMQ's own alarms: memory, disk, files. While one is raised, nobody can publish.",
            "short",
            PanelQuery(
                'max(rabbitmq_alarms_memory_used_watermark{job="rabbitmq"})'
                ' + max(rabbitmq_alarms_free_disk_space_watermark{job="rabbitmq"})'
                ' + max(rabbitmq_alarms_file_descriptor_limit{job="rabbitmq"})'
            ),
            Thresholds(bad=1),
        ),
        curves(
            "RabbitMQ's memory",
            "Memory in use, and the mark at which publishers are blocked.",
            "bytes",
            (
                PanelQuery('max(rabbitmq_process_resident_memory_bytes{job="rabbitmq"})', "in use"),
                PanelQuery('max(rabbitmq_resident_memory_limit_bytes{job="rabbitmq"})', "limit"),
            ),
        ),
        curves(
            "RabbitMQ's disk",
            "Disk that is left, and the mark at which publishers are blocked.",
            "bytes",
            (
                PanelQuery('min(rabbitmq_disk_space_available_bytes{job="rabbitmq"})', "left"),
                PanelQuery('max(rabbitmq_disk_space_available_limit_bytes{job="rabbitmq"})', "limit"),
            ),
        ),
        curves(
            "RabbitMQ's connections",
            "Connections of everybody. A process of Overheard holds a few; a number that climbs for days is a leak.",
            "short",
            PanelQuery('sum(rabbitmq_connections{job="rabbitmq"})', "connections"),
            Thresholds(warn=200),
        ),
    )
