"""Run the simulated Reddit by itself: `python -m overheard.simulators.reddit --port 8080 --rate 2`."""

from __future__ import annotations

import argparse
import sys
from threading import Event

from overheard.simulators.launch import add_options, serve

from .simulator import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from .traffic import Traffic

_HELLO = """\
A simulated Reddit at {url}

  pipeline.toml   [sources.reddit]
                  client_id = "{id}"
                  client_secret = "{secret}"
                  user_agent = "linux:overheard:demo (by /u/simulator)"
                  reddit_url = "{url}"
                  oauth_url = "{url}"

  subreddits      {subreddits}
  control         curl {url}_simulator/
                  curl {url}_simulator/counts
                  curl {url}_simulator/posts -d '{{"subreddit": "python", "title": "Acme DB is fast"}}'

Stop it with Ctrl-C."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Exit code 1 when the port is taken, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    simulator = RedditSimulator(options.seed, requests_per_minute=options.requests_per_minute, keep=options.keep)

    def publish(stopping: Event) -> None:
        traffic = Traffic(simulator, options.seed, options.rate or 1)
        traffic.fill(options.history)
        names = " ".join(sorted(home.name for home in simulator.store.subreddits.values()))
        values = {"url": simulator.url, "id": CLIENT_ID, "secret": CLIENT_SECRET, "subreddits": names or "-"}
        sys.stdout.write(_HELLO.format(**values) + "\n")
        sys.stdout.flush()
        if options.rate:
            traffic.start()
        stopping.wait()
        traffic.stop()

    return serve(simulator, options, publish)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m overheard.simulators.reddit", description=__doc__)
    add_options(parser, port=8080, rate=2.0, history=100)
    parser.add_argument("--seed", type=int, default=0, help="determines the texts and the first ids (%(default)s)")
    parser.add_argument(
        "--keep", type=int, default=50_000, help="number of posts, and of comments, to keep (%(default)s)"
    )
    parser.add_argument("--requests-per-minute", type=float, default=100, help="rate limit (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
