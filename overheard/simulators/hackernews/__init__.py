"""A simulator of Hacker News: its Firebase API and Algolia's search, on one server.

    with HackerNewsSimulator() as simulator:
        story = simulator.add_story("Show HN: Acme", "It is fast.")
        simulator.add_comment(story, "Is it?")
        requests.get(f"{simulator.url}v0/item/{story}.json")

It follows github.com/HackerNews/API and hn.algolia.com/api, and imports nothing else of Overheard, so that a mistake in
the client cannot be repeated here.
"""

from .simulator import HackerNewsSimulator

__all__ = ["HackerNewsSimulator"]
