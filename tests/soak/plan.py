"""The plan of a soak: amounts, durations, frequency of kills, and settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from overheard import schedule
from overheard.config import Config

# Settings that the farm changes for fast tests; a soak uses the shipped values.
SHIPPED = (
    "fetch.fresh_for",
    "fetch.lease",
    "hackernews.requests_per_second",
    "hackernews.timeout",
    "notify.lease",
    "notify.per_minute",
    "notify.timeout",
    "reddit.requests_per_minute",
    "reddit.timeout",
    "tick.interval",
    "tick.jitter",
    "tick.sweep_after",
)
KINDS = 2  # posts and comments: feeds of each subreddit
NORMAL_RATE = 2.0  # items a second: the simulator's default, see overheard/simulators/reddit/traffic.py
HACKER_NEWS_RATE = 0.12  # items a second, on Hacker News itself
REDDITS_RATE = 100.0  # requests per minute that the simulator allows, as Reddit does: averaged over ten minutes


def shipped() -> dict[str, Any]:
    """The defaults of pipeline.toml, by ``section.key``; a source's section is called by the source's name."""
    config = Config()
    sections = {**dict(config), **dict(config.sources)}
    return {key: getattr(sections[section], name) for key in SHIPPED for section, name in [key.split(".")]}


@dataclass(frozen=True)
class Plan:
    """Times are seconds unless the name says otherwise. ``settings`` (``section.key``) go over the shipped ones."""

    minutes: float = 10.0
    workspaces: int = 10_000
    subreddits: int = 2_000
    rate: float = 10 * NORMAL_RATE
    hackernews: float = 0.1  # share of the workspaces that also watch Hacker News
    hackernews_rate: float = 10 * HACKER_NEWS_RATE
    every: str = "5m"
    digest_every: str = "2m"
    digests: float = 0.05  # share of the workspaces whose channel gets digests
    late: float = 0.02  # share of Reddit's items that are held, and appear later at their own old place
    look_back: str = "2m"  # [fetch] look_back: what is late by less is found by a second look; "0s": none
    burst: int = 1_500  # posts that appear at once in one subreddit, more than a listing holds; 0: none
    hits: float = 0.5  # share of the items that match a query
    kill_every: float = 60.0
    trigger_every: float = 15.0
    reddits_rate: float = REDDITS_RATE
    herd: bool = False  # all workspaces due at the same moment, instead of one after the other
    warm_up: float = 30.0  # until a process's memory counts as its size at the start
    slack: float = 60.0  # for everything that is still under way at the end
    seed: int = 2026
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.minutes * 60

    @property
    def config(self) -> dict[str, Any]:
        return shipped() | {"fetch.look_back": self.look_back} | self.settings

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings as the farm's environment variables: ``TICK__INTERVAL`` …"""
        named = {key.replace("hackernews.", "sources.hackernews."): str(value) for key, value in self.config.items()}
        return {key.upper().replace(".", "__"): value for key, value in named.items()}

    @property
    def interval(self) -> float:
        """Return the seconds between two runs of a workspace."""
        return schedule.next_due(self.every, "UTC", 0.0)

    @property
    def late_seconds(self) -> tuple[float, float]:
        """Return for how long an item is held, at least and at most."""
        return 5.0, 0.75 * schedule.span_seconds(self.look_back)

    @property
    def patience(self) -> float:
        """Return the seconds after the last item, after which a missing mention counts as lost.

        The last kill may take a poll's lease, and then a delivery's, with it; each is found by a sweep. What was late
        is found by one of the next two second looks, which wait for spare budget.
        """
        config = self.config
        leases = float(config["fetch.lease"]) + float(config["notify.lease"])
        looks = 4 * schedule.span_seconds(self.look_back)
        return self.slack + self.interval + leases + 3 * float(config["tick.sweep_after"]) + looks

    @property
    def header(self) -> str:
        """Return a description of the plan, for the report."""
        config, groups = self.config, self.subreddits * KINDS / Config().fetch.group_size
        items = self.rate * self.interval
        need, have = groups + items / 100, config["reddit.requests_per_minute"] * self.interval / 60
        return (
            f"{self.workspaces:,} workspaces, each due every {self.every} "
            f"({'all at once' if self.herd else f'{self.workspaces / self.interval:.0f} runs/s'}), "
            f"{self.subreddits:,} subreddits ({KINDS} feeds each)\n"
            f"{self.rate:g} new items/s (the simulator's normal rate: {NORMAL_RATE:g}), "
            f"{self.hackernews_rate:g} a second on Hacker News (its own rate: {HACKER_NEWS_RATE:g}), "
            f"watched by {self.hackernews:.0%} of the workspaces, "
            f"kill -9 every {self.kill_every:g} s, a run by hand every {self.trigger_every:g} s, "
            f"for {self.minutes:g} minutes\n"
            f"{self.late:.0%} of the items appear late at their own old place, where a second look finds them "
            f"(look_back = {self.look_back}); {self.burst:,} posts come at once in one subreddit\n"
            f"[sources.reddit] requests_per_minute = {config['reddit.requests_per_minute']:g}; "
            f"the simulator refuses more than {self.reddits_rate:g} a minute, averaged over ten minutes\n"
            f"A cycle in which every feed is read once needs {groups:.0f} requests for its feeds and about "
            f"{items / 100:.0f} for its items: {need:.0f} of the {have:.0f} that {self.every} have\n"
            f"Settings are those of pipeline.toml{', but for ' if self.settings else ''}"
            + ", ".join(f"{key} = {value}" for key, value in self.settings.items())
        )
