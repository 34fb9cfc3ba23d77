"""A simulator of Reddit: a strict HTTP server that speaks what PRAW speaks, needs no credentials and no internet.

    with RedditSimulator() as simulator:
        simulator.add_post("python", "Hello", "world")
        reddit = praw.Reddit(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, user_agent="linux:me:1 (by /u/me)",
                             reddit_url=simulator.url, oauth_url=standin.url, check_for_updates=False)

What Reddit refuses, it refuses; what was asked is counted. Where Reddit's behaviour is known only from its published
source (github.com/reddit-archive/reddit), that is followed, and said at the place. It imports nothing of Overheard's.
"""

from .counters import Counts
from .injected_failures import InjectedFailure, InjectedFailures
from .simulator import CLIENT_ID, CLIENT_SECRET, INSTALLED_ID, RedditSimulator
from .traffic import SampleText, Traffic, sample

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "INSTALLED_ID",
    "Counts",
    "InjectedFailure",
    "InjectedFailures",
    "RedditSimulator",
    "SampleText",
    "Traffic",
    "sample",
]
