"""``make soak``: run Overheard under load for minutes while killing its processes, and print the results.

Exit 0 when every bound is kept, 1 when one is broken, 130 when interrupted (with the table so far).
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import print_table
from tests.soak.plan import Plan
from tests.soak.report import broken, tables
from tests.soak.result import Result
from tests.soak.run import Interrupted, Soak
from tests.soak.scene import servers

INTERRUPTED = 130


def main() -> int:
    options = _parser().parse_args()
    plan = _plan(options)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(plan.header, flush=True)
    folder = Path(tempfile.mkdtemp(prefix="overheard-soak-"))
    try:
        with servers() as (rabbit, postgres):
            result = Soak(plan, folder, rabbit, postgres, stop=stop, say=_say).run()
    except Interrupted:
        print("interrupted before anything was measured")
        return INTERRUPTED
    finally:
        if not options.keep:
            shutil.rmtree(folder)
    code = tell(result)
    if options.keep:
        print(f"The logs of the processes are in {folder}")
    return code


def tell(result: Result) -> int:
    """Print the tables and return the exit code."""
    found = tables(result)
    print()
    print(result.plan.header)
    if not result.complete:
        print(f"INTERRUPTED after {result.seconds / 60:.1f} minutes: what is missing was under way")
    for title, figures in found:
        print_table(figures, title)
    for slug, item in sorted(result.books.lost)[:10] if result.complete else ():
        print(f"lost: {item} for {slug}, said at {result.books.expected[slug, item]:.0f}")
    for line, count in result.errors.most_common(10):
        print(f"logged {count} ×: {line}")
    for kind, code in result.killer.ended:
        print(f"{kind} ended by itself with exit code {code}")
    wrong = broken(found)
    if not result.complete:
        return INTERRUPTED
    print(
        f"{len(wrong)} of the bounds broken: {', '.join(each.name for each in wrong)}" if wrong else "All bounds kept."
    )
    return 1 if wrong else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _plan(options: argparse.Namespace) -> Plan:
    settings: dict[str, Any] = dict(options.set or ())
    if options.requests_per_minute is not None:
        settings["reddit.requests_per_minute"] = options.requests_per_minute
    names = (
        "minutes",
        "workspaces",
        "subreddits",
        "rate",
        "hackernews_rate",
        "every",
        "digest_every",
        "kill_every",
        "trigger_every",
        "late",
        "look_back",
        "burst",
    )
    chosen = {name: getattr(options, name) for name in (*names, "seed", "herd")}
    # The simulator's limit stays above a raised budget by the same margin, as if Reddit had granted it.
    most = float(settings.get("reddit.requests_per_minute", 95)) * Plan.reddits_rate / 95
    return Plan(**chosen, reddits_rate=max(most, Plan.reddits_rate), settings=settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)

    def option(name: str, type: type, help: str) -> None:
        default = getattr(Plan, name[2:].replace("-", "_"))
        parser.add_argument(name, type=type, default=default, help=f"{help} (%(default)s)")

    option("--minutes", float, "how long")
    option("--workspaces", int, "how many workspaces")
    option("--subreddits", int, "how many subreddits they watch between them")
    option("--rate", float, "new items a second")
    option("--hackernews-rate", float, "new items a second on Hacker News")
    option("--every", str, "how often each workspace is due")
    option("--digest-every", str, "how often digests are due")
    option("--kill-every", float, "seconds between two kills")
    option("--trigger-every", float, "seconds between two runs asked for by hand")
    option("--late", float, "share of the items that appear late at their own old place")
    option("--look-back", str, "[fetch] look_back, by which they are found")
    option("--burst", int, "posts that come at once in one subreddit")
    option("--seed", int, "who listens to what, and what is said")
    parser.add_argument("--herd", action="store_true", help="all workspaces due at the same moment")
    parser.add_argument("--requests-per-minute", type=int, help="a larger budget than the shipped 95")
    parser.add_argument("--set", type=_setting, action="append", help="another setting: fetch.fresh_for=30")
    parser.add_argument("--keep", action="store_true", help="keep the logs, and say where they are")
    return parser


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key:
        raise argparse.ArgumentTypeError("want section.key=value")
    return key, value


if __name__ == "__main__":
    sys.exit(main())
