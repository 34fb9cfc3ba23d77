"""Starting, stopping, concurrent clients, and the command line."""

import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from overheard.simulators.reddit import RedditSimulator


def test_a_server_starts_and_stops_again(make_bare):
    simulator = RedditSimulator()
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.url
    with simulator:
        name = simulator.add_post("python", "title")
        first = simulator.url
        with pytest.raises(RuntimeError, match="already running"):
            simulator.start()
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(first, timeout=60)
    with simulator:
        assert make_bare(simulator).names("r/python/new") == [name]


def test_a_server_stops_at_once():
    """Not at the next time, up to half a second later, at which its loop looks whether it should end."""
    began = time.monotonic()
    for _ in range(20):
        with RedditSimulator():
            pass
    assert time.monotonic() - began < 5


def test_a_taken_port_is_an_oserror(simulator):
    port = int(simulator.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        RedditSimulator().start(port)


def test_readers_and_writers_at_once(simulator, make_bare):
    bares = [make_bare(simulator) for _ in range(8)]

    def write(number):
        return [simulator.add_post(f"sub{number}", "title") for _ in range(200)]

    def read(bare):
        for _ in range(20):
            names = bare.names("r/all/new?limit=100")
            numbers = [int(name[3:], 36) for name in names]
            assert numbers == sorted(set(numbers), reverse=True)
        return []

    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(write, number) for number in range(8)]
        jobs += [pool.submit(read, bare) for bare in bares]
        names = [name for job in jobs for name in job.result()]
    assert len(set(names)) == 1600
    assert simulator.store.all["t3"] == sorted(int(name[3:], 36) for name in names)
    assert simulator.counts()["by_endpoint"]["new"] == 160


def test_the_same_seed_gives_the_same_names():
    names = [RedditSimulator(seed=seed).add_post("python", "title") for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]


def test_command_line():
    command = [sys.executable, "-m", "overheard.simulators.reddit", "--port", "0", "--rate", "50", "--history", "30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Stop it"):
                    break
            told = "".join(lines)
            url = re.search(r'reddit_url = "(http://127\.0\.0\.1:\d+/)"', told)[1]
            assert requests.get(f"{url}_simulator/counts", timeout=60).json()["total"] == 0
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert "python selfhosted startups" in told


def test_the_command_line_reports_why_it_cannot_start(simulator):
    port = simulator.url.rstrip("/").rpartition(":")[2]
    command = [sys.executable, "-m", "overheard.simulators.reddit", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
