"""One soak, from empty servers to its results.

1. Simulators of Reddit and Hacker News with some history, a receiver, a database and a bus, all private.
2. The workspaces come in as users bring them: `overheard import` of one file.
3. Overheard's processes run as an operator starts them, while people talk, runs are asked for by hand, and one
   process after the other is killed.
4. When nobody talks any more, everything said must arrive; then the books are compared.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from overheard.bus.public_exchange import RabbitEvents
from overheard.simulators.reddit import RedditSimulator
from tests.servers.farm import Farm
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer
from tests.soak import scene, world
from tests.soak.gauges import DEAD, DELAYED, Gauges, reads
from tests.soak.killer import Killer
from tests.soak.oracle import Books, Oracle, Pair
from tests.soak.plan import Plan
from tests.soak.record import Record
from tests.soak.result import HackerNewsReading, Result, errors, gap_states, left, looks, note_slow, slow, stored
from tests.soak.scene import Clock

LOOK_EVERY = 2.0
TELL_EVERY = 10.0
BURST_AFTER = 1 / 3  # of the time

Say = Callable[[str], None]


class Interrupted(Exception):
    """Ctrl-C was pressed before there was anything to report."""


class Soak:
    """Run a plan on two running servers. ``stop`` ends it early, with the results so far."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        rabbit: RabbitServer,
        postgres: PostgresServer,
        *,
        stop: threading.Event | None = None,
        say: Say = print,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.rabbit = rabbit
        self.postgres = postgres
        self.stop = stop or threading.Event()
        self.say = say

    def run(self) -> Result:
        """Run the soak. Raises Interrupted if it was stopped before the processes ran."""
        plan, clock = self.plan, Clock()
        simulator = RedditSimulator(clock=clock, requests_per_minute=plan.reddits_rate)
        name = f"soak_{int(time.time())}"
        database = self.postgres.create_database(name)
        note_slow(self.postgres, name)
        bus = self.rabbit.vhost()
        farm = Farm(self.folder, bus=bus, database=database, simulator=simulator, fresh=True, **plan.environment)
        with farm:
            made = scene.make(plan)
            traffic = scene.history(simulator, clock, plan, made)
            self.stories = scene.stories(farm.hackernews, plan, made)
            self.bursts = made.burst
            imported = self._import(farm, made)
            self.say(f"imported {plan.workspaces:,} workspaces in {imported:.1f} s")
            self.record = Record(farm.secret)
            farm.sink.always = self.record.take
            self.gauges = Gauges(farm, self.rabbit, self.postgres.url)
            self.killer = Killer(farm, plan.seed)
            try:
                result = self._work(farm, traffic, Oracle(made.listeners))
            finally:
                traffic.stop()
                self.stories.stop()
                self.gauges.close()
            result.imported = imported
            result.queries = sum(len(listener.wishes) for listener in made.listeners)
            result.digests = {listener.slug for listener in made.listeners if listener.digest}
            return result

    def _import(self, farm: Farm, made: world.World) -> float:
        took = 0.0
        try:
            took = scene.bring_in(farm, self.plan, made)
        except scene.ImportFailed:
            if not self.stop.is_set():  # Ctrl-C reaches the whole process group
                raise
        if self.stop.is_set():
            raise Interrupted
        return took

    def _work(self, farm: Farm, traffic: world.Recorded, oracle: Oracle) -> Result:
        if not self.plan.herd:
            scene.spread(farm, self.plan)
        self.killer.start_all()
        traffic.holds = self.plan.late
        traffic.start()
        self.stories.start()
        began = time.monotonic()
        self._soak(farm, traffic, began)
        traffic.stop()
        traffic.release()
        self.stories.stop()
        seconds, ended = time.monotonic() - began, time.monotonic()
        all_said = [*traffic.said, *self.stories.said]
        self.late = {said.name for said in all_said if said.late}
        expected = {(slug, said.name): said.at for said in all_said for slug in oracle.audience(said)}
        self.say(f"{len(all_said):,} items said, {len(expected):,} mentions to arrive")
        drained = self._drain(expected, ended)
        result = self._result(farm, traffic, expected)
        result.seconds, result.elapsed, result.drained = seconds, time.monotonic() - began, drained
        return result

    def _soak(self, farm: Farm, traffic: world.Recorded, began: float) -> None:
        plan, chance, events = self.plan, random.Random(self.plan.seed), RabbitEvents(farm.bus, name="soak")
        look, tell, kill, wish = 0.0, TELL_EVERY, plan.kill_every, plan.trigger_every
        while not self.stop.wait(0.2):
            now = time.monotonic() - began
            if now >= plan.seconds:
                break
            self.killer.revive()
            if now >= kill:
                kill = now + plan.kill_every
                self.say(f"{now / 60:5.1f} min  kill -9 {self.killer.kill()}")
            if now >= wish:
                wish = now + plan.trigger_every
                slug = f"ws{chance.randrange(plan.workspaces):05d}"
                events.publish("workspace.due", {"workspace": slug, "reason": "trigger"})
            if self.bursts and now >= plan.seconds * BURST_AFTER:
                self.say(f"{now / 60:5.1f} min  {len(self.bursts):,} posts at once in {self.bursts[0].subreddit}")
                traffic.burst(self.bursts)
                self.bursts = []
            if now >= look:
                look = now + LOOK_EVERY
                self.gauges.look()
            if now >= tell:
                tell = now + TELL_EVERY
                self._tell(now, len(traffic.said) + len(self.stories.said))
        events.close()

    def _drain(self, expected: dict[Pair, float], ended: float) -> float | None:
        """Wait for mentions on their way. Return the seconds until all had arrived; None if they did not."""
        tell = arrived = 0.0
        while not self.stop.wait(0.5) and time.monotonic() - ended < self.plan.patience:
            self.killer.revive()
            self.gauges.look()
            missing = len(expected.keys() - self.record.seen)
            if not missing:
                arrived = arrived or time.monotonic() - ended
                if not any(count for name, count in self.gauges.depth.items() if not name.endswith((DEAD, DELAYED))):
                    break
                if time.monotonic() - ended - arrived > 60:
                    break  # the table shows what is left in which queue
            if time.monotonic() - ended >= tell:
                tell = time.monotonic() - ended + TELL_EVERY
                self.say(f"  draining  {missing:,} mentions under way · {self._queues()}")
        return arrived or None

    def _tell(self, now: float, said: int) -> None:
        self.say(
            f"{now / 60:5.1f} min  {said:,} items · {len(self.record.seen):,} received · "
            f"{self.gauges.busiest} requests in the busiest minute · {self._queues()} · last kill: {self.killer.last}"
        )

    def _queues(self) -> str:
        waiting = [f"{name} {count:,}" for name, count in sorted(self.gauges.depth.items()) if count]
        return f"queues: {', '.join(waiting) or 'empty'}"

    def _result(self, farm: Farm, traffic: world.Recorded, expected: dict[Pair, float]) -> Result:
        counts, stories = farm.simulator.counts(), farm.hackernews.counters.snapshot(0, 0)
        return Result(
            plan=self.plan,
            complete=not self.stop.is_set(),
            said=len(traffic.said),
            books=Books(expected, list(self.record.arrivals), stored(farm), self.late),
            forged=self.record.forged,
            killer=self.killer,
            gauges=self.gauges,
            reads=reads(farm.simulator),
            statuses=counts["by_status"],
            requests=counts["total"],
            hackernews=HackerNewsReading(
                len(self.stories.said), stories["total"], stories["by_status"], stories["by_endpoint"]
            ),
            window=(counts["max_in_window"], counts["budget"]),
            left=left(farm, self.gauges.depth),
            database_mb=self.gauges.database_mb(),
            slow=slow(self.postgres, farm),
            errors=errors(self.folder),
            looks=looks(self.folder),
            gaps=gap_states(farm),
        )
