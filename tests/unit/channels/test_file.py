"""file://: lines of JSON in the operator's folder, and nowhere else."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from overheard.channels import ChannelOptions
from overheard.channels.file import FileTransport
from overheard.channels.registry import is_signed, open_transport, validate_url
from overheard.channels.rendering.payload import body_of
from overheard.errors import InvalidInput, RetryableError
from overheard.notices import Notice

MakeNotice = Callable[..., Notice]


@pytest.fixture
def options(tmp_path: Path) -> ChannelOptions:
    return ChannelOptions(allow_private=False, timeout=20.0, user_agent="x", files_dir=str(tmp_path), clock=lambda: 0.0)


def test_each_message_is_a_line_with_the_body_of_a_webhook(
    tmp_path: Path, options: ChannelOptions, notice: MakeNotice
) -> None:
    transport = open_transport("file:///acme.jsonl", None, options=options)
    transport.send(notice(body="two\nlines \u2028 and \x00"))
    transport.send(notice())
    lines = (tmp_path / "acme.jsonl").read_bytes().split(b"\n")
    assert len(lines) == 3
    assert lines[1] == body_of(notice(), now=0.0)
    assert msgspec.json.decode(lines[0])["data"]["body"] == "two\nlines \u2028 and \x00"
    assert (tmp_path / "acme.jsonl").stat().st_mode & 0o777 == 0o600
    assert not is_signed("file:///acme.jsonl")


def test_without_a_folder_there_are_no_file_channels(strict: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match=r"are off; the operator turns them on with \[notify\] files_dir"):
        validate_url("file:///acme.jsonl", options=strict)


@pytest.mark.parametrize(
    "url",
    [
        "file://", "file:///", "file:///canary", "file:///../canary.jsonl", "file:///a/canary.jsonl", "file:///..jsonl",
        "file:////etc/canary.jsonl", "file://host/canary.jsonl", "file:///%2e%2e%2fcanary.jsonl", "file:///.canary.jsonl",
        "file:///canary.jsonl?x=1", "file:///canary.jsonl#x", "file:///canary.jsonl\n", "file:///a\x00canary.jsonl",
        "file:///-canary.jsonl", "file:///" + 200 * "a" + "canary.jsonl", "file:///ä-canary.jsonl",
    ],
)  # fmt: skip
def test_only_plain_names_in_the_folder_are_accepted(url: str, options: ChannelOptions) -> None:
    with pytest.raises(InvalidInput, match=r"write file:///NAME\.jsonl") as error:
        validate_url(url, options=options)
    assert "canary" not in str(error.value)


def test_no_link_leads_out_of_the_folder(tmp_path: Path, options: ChannelOptions, notice: MakeNotice) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    outside = tmp_path / "outside.jsonl"
    outside.write_text("")
    (inside / "acme.jsonl").symlink_to(outside)
    (inside / "new.jsonl").symlink_to(tmp_path / "absent.jsonl")
    os.mkfifo(inside / "pipe.jsonl")
    (inside / "folder.jsonl").mkdir()
    options = msgspec.structs.replace(options, files_dir=str(inside))
    for name, why in (
        ("acme", "symbolic link"), ("new", "symbolic link"), ("pipe", "not a regular file"), ("folder", "directory"),
    ):  # fmt: skip
        with pytest.raises(RetryableError, match=why):
            FileTransport(f"file:///{name}.jsonl", None, options).send(notice())
    assert outside.read_text() == ""
    assert not (tmp_path / "absent.jsonl").exists()


def test_a_folder_that_is_missing_is_tried_again(options: ChannelOptions, notice: MakeNotice) -> None:
    options = msgspec.structs.replace(options, files_dir=f"{options.files_dir}/absent")
    with pytest.raises(RetryableError, match="No such file or directory"):
        FileTransport("file:///acme.jsonl", None, options).send(notice())


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Let writes beyond ``limit`` bytes of a file fail, as on a full disk."""
    before, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_half_a_line_is_taken_back(tmp_path: Path, options: ChannelOptions, notice: MakeNotice) -> None:
    transport = FileTransport("file:///acme.jsonl", None, options)
    transport.send(notice())
    whole = (tmp_path / "acme.jsonl").read_bytes()
    with file_size_limit(len(whole) + 100), pytest.raises(RetryableError, match="cannot append"):
        transport.send(notice())
    assert (tmp_path / "acme.jsonl").read_bytes() == whole


def test_a_line_that_a_crash_left_unfinished_is_ended(
    tmp_path: Path, options: ChannelOptions, notice: MakeNotice
) -> None:
    (tmp_path / "acme.jsonl").write_bytes(b'{"type":"men')
    FileTransport("file:///acme.jsonl", None, options).send(notice())
    assert (tmp_path / "acme.jsonl").read_bytes() == b'{"type":"men\n' + body_of(notice(), now=0.0) + b"\n"


def test_threads_and_transports_append_whole_lines(tmp_path: Path, options: ChannelOptions, notice: MakeNotice) -> None:
    threads = [
        threading.Thread(
            target=FileTransport("file:///acme.jsonl", None, options).send, args=(notice(body="x" * 30_000),)
        )
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "acme.jsonl").read_bytes().splitlines()
    assert {msgspec.json.decode(line)["type"] for line in lines} == {"mention.created"}
    assert len(lines) == 20
