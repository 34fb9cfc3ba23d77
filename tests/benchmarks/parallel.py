"""Scenes in virtual time, several at once: each is a process's work, and they share nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from overheard.observability import log
from tests.benchmarks.figures import Figure

Job = Callable[[], Sequence[Figure]]  # picklable: a module's function, or a partial of one


def in_parallel(jobs: Sequence[Job]) -> Iterator[Sequence[Figure]]:
    """Yield what each job returns, in their order; as many run at once as there are cores."""
    pool = ProcessPoolExecutor(initializer=partial(log.configure, "ERROR", style="text"))
    try:
        for future in [pool.submit(job) for job in jobs]:
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def all_figures(jobs: Sequence[Job]) -> Iterator[Figure]:
    """Yield the figures of all jobs."""
    for figures in in_parallel(jobs):
        yield from figures
