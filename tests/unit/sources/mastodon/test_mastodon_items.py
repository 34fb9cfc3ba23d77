from __future__ import annotations

from typing import Any

import pytest

from overheard.sources.mastodon.items import ParsedStatus, decode_timeline, local_id, parse_status
from overheard.sources.mastodon.names import parse_place

PLACE = "mastodon.social/#python"
STATUS: dict[str, Any] = {
    "id": "113560000000000001",
    "created_at": "2026-11-27T12:00:00.000Z",
    "account": {"acct": "ann"},
    "uri": "https://mastodon.social/users/ann/statuses/113560000000000001",
    "url": "https://mastodon.social/@ann/113560000000000001",
    "content": "<p>Hello &amp; welcome<br>to <a href='x'>#python</a></p><p>Bye</p>",
    "spoiler_text": "",
    "visibility": "public",
    "in_reply_to_id": None,
    "edited_at": None,
    "reblog": None,
    "media_attachments": [],
    "poll": None,
}


def parsed(**changes: Any) -> ParsedStatus:
    return parse_status(STATUS | changes, PLACE, parse_place(PLACE))


def test_a_status_is_a_post() -> None:
    item = parsed(edited_at="2026-11-27T12:05:00.000Z").item
    assert item is not None
    assert (item.source, item.id, item.kind, item.place) == ("mastodon", STATUS["uri"], "post", PLACE)
    assert item.author == "ann@mastodon.social"
    assert item.body == "Hello & welcome\nto #python\n\nBye"
    assert item.permalink == STATUS["url"]
    assert (item.url, item.lookup) == ("", f"{STATUS['uri']} {STATUS['url']}")
    assert item.thread == item.id
    assert (item.created_at, item.edited_at) == (1795780800.0, 1795781100.0)


def test_a_status_of_another_server_keeps_its_identity_and_links_to_its_own_page() -> None:
    uri, page = "https://remote.example/users/bob/statuses/9", "https://remote.example/@bob/9"
    item = parsed(account={"acct": "bob@remote.example"}, uri=uri, url=page).item
    assert item is not None
    assert (item.id, item.author, item.permalink) == (uri, "bob@remote.example", page)
    assert item.lookup == f"{uri} https://mastodon.social/@bob@remote.example/113560000000000001"


def test_a_content_warning_is_the_title_of_a_post_and_belongs_to_the_text_of_a_reply() -> None:
    post, reply = parsed(spoiler_text="Long").item, parsed(spoiler_text="Long", in_reply_to_id="7").item
    assert post is not None
    assert reply is not None
    assert (post.kind, post.title) == ("post", "Long")
    assert (reply.kind, reply.title, reply.thread) == ("comment", "", "https://mastodon.social/statuses/7")
    assert reply.body.startswith("Long\n\nHello")


@pytest.mark.parametrize(
    ("told", "lang"), [("de", "de"), ("zh-TW", "zh-tw"), (None, ""), ("", ""), (7, ""), ("x" * 99, ""), ("not one", "")]
)
def test_the_language_is_told_and_sensitive_is_nsfw(told: object, lang: str) -> None:
    item, plain = parsed(language=told, sensitive=True).item, parsed(sensitive=None).item
    assert item is not None
    assert plain is not None
    assert (item.lang, item.nsfw, plain.nsfw) == (lang, True, False)


def test_descriptions_of_media_and_options_of_polls_are_texts() -> None:
    media = [{"description": "A cat"}, {"description": None}, {"description": "A dog"}]
    item = parsed(media_attachments=media, poll={"options": [{"title": "Yes"}, {"title": "No"}]}).item
    assert item is not None
    assert item.texts == {"caption": "A cat\n\nA dog", "poll": "Yes\n\nNo"}


@pytest.mark.parametrize(
    "changes", [{"reblog": {"id": "1"}}, {"visibility": "private"}, {"visibility": "direct"}], ids=str
)
def test_boosts_and_what_is_not_public_are_left_out(changes: dict[str, Any]) -> None:
    assert parsed(**changes) == ParsedStatus()


@pytest.mark.parametrize("flag", [{"noindex": True}, {"indexable": False}], ids=str)
def test_authors_who_opt_out_of_search_are_left_out_and_counted(flag: dict[str, bool]) -> None:
    assert parsed(account={"acct": "ann", **flag}) == ParsedStatus(opted_out=True)


def test_authors_whose_server_says_nothing_about_search_are_read() -> None:
    assert parsed(account={"acct": "ann", "noindex": None}).item is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": "yesterday"}, {"created_at": "2026-11-27T12:00:00"}, {"created_at": None}, {"id": "../../x"},
        {"created_at": "-0001-01-01T00:00:00Z"}, {"id": ""}, {"account": None}, {"uri": "https://a/" + "x" * 600},
        {"uri": "https://a/ b"}, {"content": 5}, {"in_reply_to_id": "a/b"}, {"created_at": "0001-01-01T00:00:00+23:59"},
        {"uri": "https://a/\ud800"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_a_status_is_wrong_and_says_nothing_of_its_content(changes: dict[str, Any]) -> None:
    found = parsed(**changes)
    assert found.item is None
    assert found.wrong
    assert "yesterday" not in found.wrong


@pytest.mark.parametrize("entry", [None, 5, "x", [], {}, {"id": {}}])
def test_other_json_is_wrong(entry: object) -> None:
    assert parse_status(entry, PLACE, parse_place(PLACE)).wrong
    assert local_id(entry) is None


def test_texts_are_safe_to_store() -> None:
    item = parsed(content="a\0b\ud800c", spoiler_text="x\0y", url="javascript:alert(1)").item
    assert item is not None
    assert (item.title, item.body) == ("xy", "ab\ufffdc")
    assert item.permalink == STATUS["uri"]


def test_numbers_as_ids_and_missing_uris_are_understood() -> None:
    item = parsed(id=113560000000000001, uri=None, url=None).item
    assert item is not None
    assert item.id == "https://mastodon.social/statuses/113560000000000001"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "x"}', b"[1, 2", b"[" * 100_000])
def test_only_an_array_is_a_timeline(body: bytes) -> None:
    assert decode_timeline(body) is None
