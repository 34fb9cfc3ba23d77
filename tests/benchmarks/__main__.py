"""All benchmarks: ``make bench``. ``make bench ARGS='--only match'`` for one table, ``--list`` for their names.

Each table is made by a process of its own, which is ended when its time is over and prints what there is by then: all
of them together take ten minutes at most, on any machine. A new table is a line in TABLES; a test adds up their times.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from tests.benchmarks import (
    bench_all,
    bench_automata,
    bench_budget,
    bench_channels,
    bench_delivery,
    bench_digest,
    bench_expensive,
    bench_fetch,
    bench_gaps,
    bench_http,
    bench_ingress,
    bench_looks,
    bench_match,
    bench_match_stage,
    bench_names,
    bench_outage,
    bench_pipeline,
    bench_retention,
    bench_source_costs,
    bench_sources,
    bench_status,
    bench_store,
    texts,
)
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.parallel import all_figures

CUT_SHORT = 3  # exit code
GRACE_SECONDS = 5.0  # for printing what there is and stopping servers, after the time is over


class BenchTable(NamedTuple):
    """``seconds`` is when it is ended; on two cores that have nothing else to do, it takes half as long."""

    title: str
    run: Callable[[], Iterable[Figure]]
    seconds: float


beside_hanging_channels = partial(bench_channels.run, 5, 3, with_servers=False)

TABLES = {
    "index": BenchTable("The index of queries alone", bench_match.run, 14),
    "automata": BenchTable("100,000 queries beside automata", bench_automata.run, 20),
    "match": BenchTable("The match stage, PostgreSQL", bench_match_stage.run, 30),
    "store": BenchTable("The store stage, PostgreSQL", bench_store.run, 15),
    "expensive": BenchTable("The most expensive queries", bench_expensive.run, 20),
    "fetch": BenchTable(
        "Fetch, in virtual time",
        lambda: all_figures([*bench_fetch.jobs(), *bench_names.jobs(), *bench_all.jobs()]),
        36,
    ),
    "gaps": BenchTable(
        "Gaps, second looks and an outage, in virtual time",
        lambda: all_figures([*bench_gaps.jobs(), *bench_looks.jobs(), *bench_outage.jobs()]),
        24,
    ),
    "budget": BenchTable("The request budget, in virtual time", bench_budget.run, 16),
    "http": BenchTable("Virtual time beside HTTP and real time", bench_http.run, 34),
    "pipeline": BenchTable("The pipeline, RabbitMQ and PostgreSQL", bench_pipeline.run, 35),
    "ingress": BenchTable("Public events, RabbitMQ and PostgreSQL", bench_ingress.run, 20),
    "channels": BenchTable("Healthy channels beside hanging ones", beside_hanging_channels, 32),
    "delivery": BenchTable("Delivery", partial(bench_delivery.run, bench_delivery.FAST, 2_000, everywhere=False), 45),
    "digest": BenchTable("A digest of 5,000 mentions, PostgreSQL", bench_digest.run, 12),
    "demo": BenchTable("The demo", bench_pipeline.demo, 10),
    "status": BenchTable("overheard status", lambda: bench_status.run(share=10), 17),
    "sources": BenchTable("Every source, with faults and kills", bench_sources.run, 71),
    "costs": BenchTable("What sources cost", bench_source_costs.run, 42),
    "retention": BenchTable("The slowest statement, PostgreSQL", lambda: bench_retention.run(100_000), 12),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Figures are for people: a missed budget is red, not an error. A table that breaks or is cut short is one."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure against the budgets.")
    parser.add_argument("--only", metavar="NAME", choices=TABLES, action="append", help=f"one of {', '.join(TABLES)}")
    parser.add_argument("--list", action="store_true", help="the tables, and how long each may take")
    parser.add_argument("--minutes", type=float, help="how long every source is read, for the table `sources`")
    parser.add_argument("--here", choices=TABLES, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.here:
        here(chosen(given.here, given.minutes))
    elif given.list:
        for name, table in TABLES.items():
            print(f"{name:<12} {table.title} ({table.seconds:g} s at most)")
    else:
        print(f"Text: {texts.description()}", flush=True)
        sys.exit(0 if all_made(given.only or list(TABLES), given.minutes) else 1)


def chosen(name: str, minutes: float | None) -> BenchTable:
    """Return a table; with ``minutes`` given, that of the sources takes so long."""
    if name != "sources" or minutes is None:
        return TABLES[name]
    long = partial(bench_sources.run, 60 * minutes, bench_sources.LONG_DRAIN_SECONDS)
    return TABLES[name]._replace(run=long, seconds=60 * minutes + bench_sources.LONG_DRAIN_SECONDS + 120)


def here(table: BenchTable) -> None:
    """Make a table in this process, and print what there is of it, also when its time is over."""
    figures: list[Figure] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for figure in table.run():
            figures.append(figure)
    except KeyboardInterrupt:
        sys.exit(CUT_SHORT)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if figures:
            print_table(figures, table.title)


def all_made(names: Sequence[str], minutes: float | None = None) -> bool:
    """Make these tables. What one does not need of its time, the next ones may have."""
    whole, spare = True, 0.0
    for name in names:
        began, allowed = time.monotonic(), chosen(name, minutes).seconds + spare
        whole &= made(name, allowed, () if minutes is None else ("--minutes", str(minutes)))
        spare = max(allowed - (time.monotonic() - began), 0.0)
    return whole


def made(name: str, seconds: float, options: Sequence[str] = ()) -> bool:
    """Make one table in a process of its own. Return False, and say so, when it broke or its time was over."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.benchmarks", "--here", name, *options]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        code = _code_of(process)
    finally:
        _end(process)
    end = {0: "", CUT_SHORT: "; not all of it: its time was over"}.get(code, f"; it broke (exit code {code})")
    print(f"{name}: {time.monotonic() - began:.0f} s of {seconds:.0f}{end}\n", flush=True)
    return code == 0


def _code_of(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return CUT_SHORT


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what it has started and left behind; servers see that it is gone, and end by themselves."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    main()
