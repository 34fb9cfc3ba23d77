"""Replayed files: in every format, growing, replaced, damaged."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from overheard.errors import RetryableError
from overheard.items import Item
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import Page, ReadRequest
from overheard.sources.jsonl_files import LINE_MAX_BYTES
from overheard.sources.replay import files
from overheard.sources.replay import source as replay
from overheard.sources.replay.source import ReplaySource
from tests.fixtures import Clock, Metric

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zst": zstandard.compress,
}
START = 1_600_000_000
BLANK = b" " * 4095 + b"\n"  # ten thousand are a bomb: few lines to read, and they compress by more than 700:1


def line(number: int, **fields: Any) -> bytes:
    given = {
        "id": f"i{number}",
        "kind": "post",
        "place": "Python",
        "title": f"title {number}",
        "created_at": START + number,
    }
    return json.dumps(given | fields).encode() + b"\n"


def lines(*numbers: int) -> bytes:
    return b"".join(map(line, numbers))


class Player:
    """One feed of a replay; each reading continues where the last one ended."""

    def __init__(self, path: Path, metrics: ProcessMetrics, clock: Clock) -> None:
        self.path, self.metrics, self.clock = path, metrics, clock
        self.speed = 0.0
        self.place = "python"
        self.cursor: str | None = None
        self.source = ReplaySource(path, self.speed, metrics, clock=clock)

    def restart(self) -> None:
        self.source.close()
        self.source = ReplaySource(self.path, self.speed, self.metrics, clock=self.clock)

    def pages(self) -> list[Page]:
        """Return all pages of a reading."""
        pages: list[Page] = []
        while not pages or pages[-1].position is not None:
            position = pages[-1].position if pages else None
            request = ReadRequest(kind="items", places=(self.place,), cursor=self.cursor, position=position)
            pages.append(self.source.read(request, budget=None))  # type: ignore[arg-type]
        self.cursor = pages[-1].cursor
        assert pages[-1].complete
        return pages

    def items(self) -> list[Item]:
        return [item for page in self.pages() for item in page.items]

    def ids(self) -> list[str]:
        return [item.id for item in self.items()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "items.jsonl"


@pytest.fixture
def player(file: Path, metrics: ProcessMetrics, clock: Clock) -> Iterator[Player]:
    made = Player(file, metrics, clock)
    yield made
    made.source.close()


@pytest.mark.parametrize("form", PACKED)
def test_every_format_is_read_grows_and_continues_after_a_restart(player: Player, file: Path, form: str) -> None:
    file.write_bytes(PACKED[form](lines(1, 2)))
    assert player.ids() == ["i1", "i2"]
    assert player.ids() == []
    with file.open("ab") as more:
        more.write(PACKED[form](lines(3)))
    assert player.ids() == ["i3"]
    player.restart()
    assert player.ids() == []
    with file.open("ab") as more:
        more.write(PACKED[form](lines(4)))
    player.restart()
    assert player.ids() == ["i4"]


def test_the_cursor_does_not_grow_when_files_come_and_go(tmp_path: Path, metrics: ProcessMetrics, clock: Clock) -> None:
    player = Player(tmp_path, metrics, clock)
    for number in range(1, 20):
        (tmp_path / f"{number}.jsonl").write_bytes(lines(number))
        (tmp_path / f"{number - 1}.jsonl").unlink(missing_ok=True)
        assert player.ids() == [f"i{number}"]
    assert player.cursor is not None
    assert list(msgspec.json.decode(player.cursor)["files"]) == ["19.jsonl"]
    player.source.close()


def test_a_file_may_be_compressed_between_readings(player: Player, file: Path) -> None:
    file.write_bytes(lines(1, 2))
    assert player.ids() == ["i1", "i2"]
    file.write_bytes(gzip.compress(lines(1, 2, 3)))
    assert player.ids() == ["i3"]


def test_a_replaced_file_is_read_from_its_start(player: Player, file: Path) -> None:
    file.write_bytes(lines(1, 2))
    assert player.ids() == ["i1", "i2"]
    file.unlink()
    file.write_bytes(lines(7, 8, 9))
    assert player.ids() == ["i7", "i8", "i9"]
    file.write_bytes(lines(7))
    assert player.ids() == ["i7"], "the file became shorter"


def test_the_files_of_a_folder_are_read_in_order_of_their_names(player: Player, tmp_path: Path) -> None:
    player.path = tmp_path
    player.restart()
    (tmp_path / "b.jsonl").write_bytes(lines(2))
    (tmp_path / "a.zst").write_bytes(zstandard.compress(lines(1)))
    (tmp_path / ".hidden").write_bytes(lines(9))
    (tmp_path / "folder").mkdir()
    assert player.ids() == ["i1", "i2"]
    (tmp_path / "0.jsonl").write_bytes(lines(3))
    assert player.ids() == ["i3"], "a new file is read, wherever its name sorts"


def test_a_long_reading_continues_page_by_page(player: Player, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "PAGE_MAX_ITEMS", 3)
    file.write_bytes(gzip.compress(lines(*range(10))))
    pages = player.pages()
    assert [len(page.items) for page in pages] == [3, 3, 3, 1]
    assert [page.complete for page in pages] == [False, False, False, True]


def test_only_the_items_of_the_place_are_read_or_all_of_them(player: Player, file: Path) -> None:
    file.write_bytes(lines(1) + line(2, place="linux") + line(3, place="PYTHON"))
    assert player.ids() == ["i1", "i3"]
    player.cursor, player.place = None, "all"
    assert player.ids() == ["i1", "i2", "i3"]


def test_items_appear_when_due_with_that_time_as_their_date(player: Player, file: Path, clock: Clock) -> None:
    player.speed = 10.0
    player.restart()
    began = clock()
    file.write_bytes(lines(0, 50, 20, 100))
    assert [(item.id, item.created_at) for item in player.items()] == [("i0", began)]
    clock.advance(4.9)
    player.restart()
    assert player.ids() == [], "the second one is due after 5 s"
    clock.advance(0.1)
    assert [(item.id, item.created_at) for item in player.items()] == [("i50", began + 5), ("i20", began + 2)]
    clock.advance(100)
    assert [(item.id, item.created_at) for item in player.items()] == [("i100", began + 10)]


def test_with_speed_0_all_items_appear_at_once_with_their_own_dates(player: Player, file: Path, clock: Clock) -> None:
    file.write_bytes(lines(0, 10**6) + line(2, created_at="2026-01-01T00:00:00Z") + line(3, created_at=None))
    dates = [item.created_at for item in player.items()]
    assert dates == [START, START + 10**6, 1_767_225_600, clock()]


def test_an_incomplete_last_line_is_read_later(player: Player, file: Path) -> None:
    whole = lines(1, 2)
    file.write_bytes(whole[:-20])
    assert player.ids() == ["i1"]
    file.write_bytes(whole[:-1])
    assert player.ids() == ["i2"], "an object is complete even without a line break"
    file.write_bytes(whole + line(3))
    assert player.ids() == ["i3"]


@pytest.mark.parametrize(
    "bad",
    [
        b"rubbish\n", b"5\n", b"[]\n", b"{}\n", b'{"gone": ""}\n', b'{"gone": 5}\n', b"\xff\xfe\n", b'{"id": "x"}\n',
        line(9, id="x" * 201), line(9, id=""), line(9, place="x" * 101), line(9, title=5), line(9, created_at="soon"),
        line(9, created_at=-5), line(9, permalink="javascript:alert(1)"), line(9, id="\ud800"),
        line(9, edited_at=-5), line(9, edited_at=1e300), line(9, kind="comment", thread="x" * 201),
        b"[" * 100_000 + b"\n", b'{"title": "' + b"x" * (LINE_MAX_BYTES + 5) + b'"}\n',
    ],
)  # fmt: skip
def test_bad_lines_are_counted_and_skipped(player: Player, file: Path, bad: bytes, metric: Metric) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + lines(1) + b"\n" + bad + lines(2))
    assert player.ids() == ["i1", "i2"]
    assert metric("items_unreadable_total", source="replay") >= 1
    assert player.ids() == []


@pytest.mark.parametrize("form", ["gzip", "zst"])
def test_a_damaged_file_is_read_up_to_the_damage_and_stops_no_other(player: Player, tmp_path: Path, form: str) -> None:
    player.path = tmp_path
    player.restart()
    whole = PACKED[form](b"".join(line(number, body=str(number) * 500) for number in range(2000)))
    (tmp_path / "a").write_bytes(whole[: len(whole) // 2] + b"\0" * 100)
    (tmp_path / "b").write_bytes(lines(5001))
    assert player.ids()[-1] == "i5001"
    assert player.ids() == []


@pytest.mark.parametrize("form", ["gzip", "zst"])
def test_reading_stops_at_a_decompression_bomb(player: Player, tmp_path: Path, form: str) -> None:
    player.path = tmp_path
    player.restart()
    (tmp_path / "a").write_bytes(PACKED[form](lines(1) + BLANK * 10_000 + lines(3)))
    (tmp_path / "b").write_bytes(lines(2))
    assert player.ids() == ["i1", "i2"]


def test_lines_of_reddits_dumps_are_items(player: Player, file: Path) -> None:
    post = {"id": "1abc", "subreddit": "Python", "author": "ann", "title": "A title", "selftext": "A text"}
    post |= {
        "permalink": "/r/Python/comments/1abc/a_title/",
        "created_utc": "1700000000",
        "url": "https://example.org/",
    }
    comment = {"id": "zz9", "name": "t1_zz9", "subreddit": "Python", "author": "[deleted]", "body": "I agree"}
    comment |= {"link_id": "t3_1abc", "created_utc": 1_700_000_001.0}
    file.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in (post, comment)))
    one, two = player.items()
    assert (one.id, one.kind, one.author, one.title, one.body) == ("t3_1abc", "post", "ann", "A title", "A text")
    assert (one.permalink, one.created_at, one.thread) == (
        "https://www.reddit.com/r/Python/comments/1abc/a_title/", 1_700_000_000.0, "t3_1abc",
    )  # fmt: skip
    assert (two.id, two.kind, two.author, two.title, two.body) == ("t1_zz9", "comment", None, "", "I agree")
    assert (two.thread, two.source) == ("t3_1abc", "replay")


def test_language_flair_and_adult_content_are_in_lines(player: Player, file: Path) -> None:
    own = "https://www.reddit.com/r/Python/comments/1abc/a_title/"
    dumped = {"id": "1abc", "subreddit": "Python", "title": "A", "permalink": own[22:], "created_utc": 1_700_000_000}
    more = {"url": own, "over_18": True, "link_flair_text": "Help", "is_self": True}
    ours = {"id": "x", "kind": "post", "place": "Python", "body": "B", "created_at": 1_700_000_001, "lang": "pt_BR"}
    ours |= {"nsfw": True, "texts": {"flair": "Own"}, "url": "https://example.org/"}
    lines = (dumped | more, dumped | {"id": "2def", "url": own}, dumped | {"url": own, "id": "1abc"}, ours)
    file.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in lines))
    first, linked, bare, last = player.items()
    assert (first.url, first.nsfw, first.lang, first.texts) == ("", True, "", {"flair": "Help"})
    assert (linked.nsfw, linked.texts) == (False, {})
    assert (bare.id, bare.url) == ("t3_1abc", "")
    assert (last.lang, last.nsfw, last.texts, last.url) == ("pt-br", True, {"flair": "Own"}, "https://example.org/")


def test_deletions_are_reported_in_order(player: Player, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(lines(1) + b'{"gone": "i1"}\n' + lines(2))
    [page] = player.pages()
    assert ([item.id for item in page.items], page.gone) == (["i1", "i2"], ("i1",))
    monkeypatch.setattr(replay, "PAGE_MAX_GONE", 2)
    file.write_bytes(file.read_bytes() + b"".join(b'{"gone": "%d"}\n' % number for number in range(5)))
    assert [page.gone for page in player.pages()] == [("0", "1"), ("2", "3"), ("4",)]


def test_a_missing_path_is_reported(player: Player, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RetryableError, match=r"\[sources.replay\] path: No such file"):
        player.pages()
    monkeypatch.setattr(files, "FILES_MAX", 1)
    player.path = tmp_path
    player.restart()
    for name in "ab":
        (tmp_path / name).write_bytes(lines(1))
    with pytest.raises(RetryableError, match="2 files, 1 are allowed"):
        player.pages()


def test_the_number_of_open_files_is_bounded(
    player: Player, file: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(files, "OPEN_FILES_MAX", 2)
    player.speed = 1.0
    player.restart()
    file.write_bytes(gzip.compress(lines(*range(0, 1000, 10))))
    cursors: list[str | None] = [None] * 5
    for _ in range(3):
        for number, cursor in enumerate(cursors):
            player.cursor = cursor
            assert len(player.ids()) == 1
            cursors[number] = player.cursor
            assert len(player.source._files._open) <= 2
        clock.advance(10)
    player.source.close()
    assert not player.source._files._open
