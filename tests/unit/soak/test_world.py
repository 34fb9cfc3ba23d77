"""What the soak holds back is said when it appears, and is nowhere to be seen before."""

from __future__ import annotations

from overheard.simulators.reddit import RedditSimulator
from overheard.simulators.reddit.traffic import SampleText
from tests.soak.plan import Plan
from tests.soak.world import BURST_RANK, Recorded, make

TEXTS = [SampleText("python", "ann", f"title {number}", "text") for number in range(4)]


def test_what_is_held_appears_late_at_its_own_place() -> None:
    simulator = RedditSimulator()
    traffic = Recorded(simulator, Plan(), TEXTS)
    first = traffic.step()
    traffic.holds = 1.0
    held = traffic.step()
    traffic.holds = 0.0
    last = traffic.step()
    assert [said.name for said in traffic.said] == [first, last]
    listed = simulator.store.subreddit("python").listed["t3"]
    assert len(listed) == 2

    traffic.release()
    assert [(said.name, said.late) for said in traffic.said] == [(first, False), (last, False), (held, True)]
    assert [simulator.store.at("t3", place) for place in listed] == [
        simulator.store.get(each) for each in (first, held, last)
    ]


def test_a_burst_is_posts_in_one_subreddit() -> None:
    plan = Plan(workspaces=10, subreddits=10, burst=30)
    made = make(plan, 10, 10)
    assert {text.subreddit for text in made.burst} == {f"soak{BURST_RANK:04d}"}
    traffic = Recorded(RedditSimulator(), plan, TEXTS)
    traffic.burst(made.burst)
    assert len(traffic.said) == 30
    assert all(said.kind == "posts" and not said.late for said in traffic.said)
