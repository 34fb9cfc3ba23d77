"""A simulator of Reddit: a strict HTTP server for PRAW that needs no real credentials and no internet.

    with RedditSimulator() as simulator:
        simulator.add_post("python", "Hello", "world")
        reddit = praw.Reddit(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, user_agent="linux:me:1 (by /u/me)",
                             reddit_url=simulator.url, oauth_url=simulator.url, check_for_updates=False)

It refuses what Reddit refuses, and counts all requests. Where Reddit's behaviour is known only from its published
source (github.com/reddit-archive/reddit), the simulator follows that, and a comment there says so. It imports nothing
else of Overheard, so that a mistake in the client cannot be repeated here.
"""

from overheard.simulators.http.counters import Counts
from overheard.simulators.http.injected_failures import InjectedFailure, InjectedFailures

from .simulator import CLIENT_ID, CLIENT_SECRET, INSTALLED_ID, RedditSimulator
from .store import NumberHoles
from .traffic import SampleText, Traffic, sample

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "INSTALLED_ID",
    "Counts",
    "InjectedFailure",
    "InjectedFailures",
    "NumberHoles",
    "RedditSimulator",
    "SampleText",
    "Traffic",
    "sample",
]
