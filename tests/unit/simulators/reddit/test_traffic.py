"""Traffic: reproducible for a seed, with texts that are worth matching."""

import re
from collections import Counter
from threading import Semaphore

import pytest

from overheard.simulators.reddit import RedditSimulator, SampleText, Traffic, sample


def everything(simulator):
    store = simulator.store
    return [
        (kind, number, item.subreddit.name, item.author, item.text)
        for kind in ("t3", "t1")
        for number in store.all[kind]
        for item in [store.find(kind, number)]
    ]


def filled(seed, **options):
    simulator = RedditSimulator(clock=lambda: 1_800_000_000.0)
    Traffic(simulator, seed, **options).fill(300)
    return everything(simulator)


def test_content_depends_on_the_seed_alone():
    assert filled(1) == filled(1, rate_per_second=50)
    assert filled(1) != filled(2)


def test_every_text_is_posted_before_any_is_repeated():
    simulator = RedditSimulator()
    texts = [SampleText("python", "ada", f"title {number}", "text") for number in range(20)]
    Traffic(simulator, texts=texts).fill(40)
    assert set(Counter(store_title(simulator)).values()) == {2}


def store_title(simulator):
    return [simulator.store.find("t3", number).title for number in simulator.store.all["t3"]]


def test_only_wanted_subreddits():
    simulator = RedditSimulator()
    Traffic(simulator, subreddits=["Python", "linux"]).fill(60)
    assert set(simulator.store.subreddits) == {"python", "linux"}


def test_comments_without_any_post_to_start_from():
    simulator = RedditSimulator()
    Traffic(simulator, texts=[SampleText("python", "ada", None, "hello")]).fill(3)
    assert [row[0] for row in everything(simulator)] == ["t3", "t1", "t1"]


def test_the_thread_adds_at_its_rate_and_stops(simulator, bare):
    traffic = Traffic(simulator, rate_per_second=2000)
    arrived = Signal(simulator, 200)
    traffic.start()
    try:
        assert arrived.wait()
    finally:
        traffic.stop()
    size = len(everything(simulator))
    assert len(bare.names("r/all/new?limit=100")) > 10
    assert len(everything(simulator)) == size
    at_once = RedditSimulator()
    Traffic(at_once).fill(size)
    assert everything(simulator) == everything(at_once)


class Signal:
    """An event that is set after a number of items was added to the simulator."""

    def __init__(self, simulator, count):
        self.count, self.arrived = count, Semaphore(0)
        for name in ("add_post", "add_comment"):
            setattr(simulator, name, self.counting(getattr(simulator, name)))

    def counting(self, add):
        def adding(*args, **options):
            fullname = add(*args, **options)
            self.arrived.release()
            return fullname

        return adding

    def wait(self):
        return all(self.arrived.acquire(timeout=60) for _ in range(self.count))


@pytest.mark.parametrize("options", [{"subreddits": ["nowhere"]}, {"texts": []}, {"rate_per_second": 0}])
def test_traffic_without_texts_is_refused(options):
    with pytest.raises(ValueError, match=r"no texts|rate_per_second"):
        Traffic(RedditSimulator(), **options)


def test_the_sample_is_worth_a_demo():
    texts = sample()
    assert 100 <= len(texts) <= 140
    assert len({text.subreddit for text in texts}) == 8
    assert len({text.text for text in texts}) == len(texts)
    about = [text for text in texts if re.search(r"acme ?db", f"{text.title} {text.text}", re.IGNORECASE)]
    assert len(about) >= 15
    assert any(re.search(r"[\u3040-\u9fff]", text.text) for text in texts)
    assert all(re.fullmatch(r"[\w-]{3,20}", text.author, re.ASCII) for text in texts)
