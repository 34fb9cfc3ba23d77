"""``overheard listen`` as a separate process: mentions on stdout, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from overheard.simulators.bluesky import BlueskySimulator
from overheard.simulators.feeds import FeedsSimulator
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.simulators.http.injected_failures import InjectedFailure
from overheard.simulators.mastodon import MastodonSimulator
from tests.project import ROOT
from tests.servers.forks import shared_forks
from tests.servers.waiting import wait_for

Start = Callable[..., Any]


class Listening:
    """A listener in a folder of its own; ``out`` and ``err`` are what it has printed so far."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        self.place, self.temporary = folder / "place", folder / "tmp"
        self.place.mkdir()
        self.temporary.mkdir()
        self._out, self._err = folder / "out", folder / "err"
        given = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), "PYTHONUTF8": "1",
            **environ,
        }  # fmt: skip
        with self._out.open("w") as out, self._err.open("w") as err:
            command = ["overheard.cli", "listen", *arguments]
            self.process = shared_forks().start(command, cwd=self.place, env=given, output=out, errors=err)

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_for(self, text: str) -> None:
        wait_for(lambda: text in self.out + self.err, lambda: f"{text!r} in {self.out}{self.err}")

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def listening(folder: Path, *arguments: str, **environ: str) -> Iterator[Listening]:
    listener = Listening(folder, *arguments, **environ)
    try:
        yield listener
    finally:
        listener.process.kill()
        listener.process.wait(60)


@pytest.fixture
def replayed(tmp_path: Path) -> Path:
    """A file of items that come within the next minute: every second one is on acme."""
    path, now = tmp_path / "items.jsonl", time.time()
    items = [
        {"id": f"item{number}", "kind": "post", "place": "misc", "title": "On acme" if number % 2 else "On bolt",
         "body": "", "author": "ada", "permalink": f"https://example.org/{number}", "created_at": now + number / 2}
        for number in range(120)
    ]  # fmt: skip
    path.write_text("".join(f"{json.dumps(item)}\n" for item in items))
    return path


@pytest.fixture
def start(tmp_path: Path, replayed: Path) -> Iterator[Start]:
    """Return a function that starts a listener to the replayed file."""
    listeners = []

    def begin(*arguments: str, **environ: str) -> Listening:
        listener = Listening(
            tmp_path, *arguments, "--source", "replay", OVERHEARD_SOURCES__REPLAY__PATH=str(replayed), **environ
        )
        listeners.append(listener)
        return listener

    yield begin
    for listener in listeners:
        listener.process.kill()
        listener.process.wait(60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_mentions_appear_and_nothing_is_left(start: Start, number: int) -> None:
    listener = start("acme")
    listener.wait_for("https://example.org/1")
    assert "On acme" in listener.out
    assert "On bolt" not in listener.out
    assert listener.end(number) == 0
    assert " matched." in listener.out
    assert listener.err == ""
    assert list(listener.place.iterdir()) == []
    assert list(listener.temporary.iterdir()) == []


def test_the_workspace_file_can_be_imported(start: Start) -> None:
    listener = start('acme OR (bolt NOT "x y")', "--for", "2s")
    assert listener.process.wait(60) == 0
    _, _, file = listener.out.partition("# To go on")
    assert "\n#   overheard import acme-or-bolt-not-x-y.toml\n" in file
    done = subprocess.run(
        [sys.executable, "-m", "overheard.cli", "import", "-"],
        input=f"# To go on{file}", cwd=listener.place, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "acme-or-bolt-not-x-y" in done.stdout


def test_json_has_the_mentions_alone_on_stdout(start: Start) -> None:
    listener = start("acme", "--format", "json", "--limit", "2")
    assert listener.process.wait(60) == 0
    mentions = [json.loads(line) for line in listener.out.splitlines()]
    assert [mention["item"] for mention in mentions] == ["item1", "item3"]
    assert mentions[0]["source"] == "replay"
    assert mentions[0]["queries"] == ["acme"]
    assert "[[workspace]]" in listener.err


def test_hacker_news_is_the_default_and_begins_with_the_last_hour(tmp_path: Path) -> None:
    with HackerNewsSimulator() as simulator:
        now = time.time()
        story = simulator.add_story("Acme, half an hour ago", created=now - 1800)
        simulator.add_comment(story, "nothing", created=now - 1700)
        simulator.add_comment(story, "I like acme", created=now - 1600)
        url = {f"OVERHEARD_SOURCES__HACKERNEWS__{name}": simulator.url for name in ("URL", "SEARCH_URL")}
        with listening(tmp_path, "acme", **url) as listener:
            listener.wait_for("Acme, half an hour ago")
            listener.wait_for("I like acme")
            # The first reading begins now: what is posted before it is not news.
            assert simulator.wait_for_requests(1, "maxitem")
            simulator.add_story("Acme, live")
            listener.wait_for("Acme, live")
            assert listener.end() == 0
        assert listener.out.count("from before") == 2
        assert "from the last hour; 3 matched." in listener.out
        assert len([target for target in simulator.recent_requests() if "search" in target]) == 1


def test_several_sources_at_once(tmp_path: Path) -> None:
    with HackerNewsSimulator() as news, BlueskySimulator() as sky, MastodonSimulator() as server:
        environ = {
            "OVERHEARD_SOURCES__HACKERNEWS__URL": news.url,
            "OVERHEARD_SOURCES__HACKERNEWS__SEARCH_URL": news.url,
            "OVERHEARD_SOURCES__BLUESKY__URL": sky.url,
            "OVERHEARD_SOURCES__MASTODON__ALLOW_PRIVATE": "true",
        }
        place = f"mastodon:{server.url}#acme"
        news.add_story("nothing")
        with listening(
            tmp_path, "acme", "--source", "hackernews", "--source", "bluesky", "--source", place, **environ
        ) as listener:
            assert news.wait_for_requests(2, "maxitem")
            assert sky.wait_for_connections(1, timeout=60)
            assert server.wait_for_requests(1)
            news.add_story("acme in the news")
            sky.add_post("acme in the sky")
            server.publish("<p>acme on a <a href='/tags/acme'>#acme</a> server</p>", tags=["acme"])
            for text in ("acme in the news", "acme in the sky", "server"):
                listener.wait_for(text)
            assert listener.end() == 0, listener.err


def test_feeds_are_listened_to_beside_hacker_news(tmp_path: Path) -> None:
    with HackerNewsSimulator() as news, FeedsSimulator() as site:
        news.add_story("nothing")
        url, gone = site.add_feed("/acme.rss"), site.add_feed("/gone.rss")
        site.add_entry("/acme.rss", title="Acme in a feed")
        site.refuse_feed("/gone.rss")
        environ = {
            "OVERHEARD_SOURCES__HACKERNEWS__URL": news.url,
            "OVERHEARD_SOURCES__HACKERNEWS__SEARCH_URL": news.url,
            "OVERHEARD_SOURCES__FEEDS__ALLOW_PRIVATE": "true",
        }
        with listening(tmp_path, "acme", "--feed", url, "--feed", gone, **environ) as listener:
            listener.wait_for("Acme in a feed")
            listener.wait_for("/gone.rss cannot be read: ")
            assert news.wait_for_requests(1, "maxitem")
            assert listener.end() == 0, listener.err
        assert url in listener.out.partition("[[workspace]]")[2]


def test_a_source_that_comes_back_is_said(tmp_path: Path) -> None:
    with HackerNewsSimulator() as simulator:
        simulator.add_story("the first")
        url = {f"OVERHEARD_SOURCES__HACKERNEWS__{name}": simulator.url for name in ("URL", "SEARCH_URL")}
        simulator.faults.inject(InjectedFailure("fail", times=1000, path="/v0/"))
        with listening(tmp_path, "acme", **url) as listener:
            listener.wait_for("hackernews cannot be reached: ")
            simulator.faults.clear()
            listener.wait_for("hackernews answers.")
            assert listener.end() == 0


def test_a_killed_listener_leaves_nothing_where_the_user_works(start: Start) -> None:
    listener = start("acme")
    listener.wait_for("https://example.org/1")
    listener.end(signal.SIGKILL)
    assert list(listener.place.iterdir()) == []


def test_a_reader_that_goes_away_ends_it(start: Start, tmp_path: Path, replayed: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = [sys.executable, "-m", "overheard.cli", "listen", "acme", "--source", "replay"]
    environ = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary),
        "OVERHEARD_SOURCES__REPLAY__PATH": str(replayed),
    }  # fmt: skip
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait(60)
        assert b"Traceback" not in process.stderr.read()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["acme ("], "this bracket is never closed (column 6)"),
        (["acme", "--source", "nope"], "source 'nope' is not known"),
        (["acme", "--source", "reddit:a b"], "'a b' cannot be the name of a subreddit"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(tmp_path: Path, arguments: list[str], message: str) -> None:
    with listening(tmp_path, *arguments) as listener:
        assert listener.process.wait(60) == 2
        assert message in listener.err
        assert listener.out == ""


def test_a_source_that_cannot_be_read_is_said_within_seconds(tmp_path: Path) -> None:
    """Without a file, the replayed source is not configured."""
    with listening(tmp_path, "acme", "--source", "replay") as listener:
        listener.wait_for("replay cannot be reached")
        listener.wait_for("Still trying.")
        assert listener.end() == 0
        assert "Nothing could be read" in listener.out
