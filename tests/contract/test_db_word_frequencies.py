"""The frequencies of words, learned from the sample, on both databases."""

from __future__ import annotations

import pytest

from overheard.db import heartbeats, sample, word_frequencies
from overheard.db.database import Db
from overheard.db.models import SampledItem, WordFrequency
from overheard.operations import learned_words
from overheard.operations.learned_words import WordCounts
from tests.fixtures import Clock, Race, World


def learned(world: World) -> dict[str, tuple[int, float]]:
    learned_words.learn(world.db)
    return {row["word"]: (row["items"], round(row["share"], 3)) for row in world.rows(WordFrequency)}


def test_words_of_several_authors_are_learned_with_their_weights(world: World, db: Db) -> None:
    world.workspace(watch=())
    texts = [
        ("ann", "acme db"),
        ("Ann", "acme secret"),
        ("ann", "acme secret"),
        ("bob", "acme db"),
        ("cleo", "Acme DB"),
    ]
    for number, (author, body) in enumerate(texts, 1):
        world.sample(world.item(number, title="", body=body, url="", author=author))
    assert learned(world) == {"acme": (5, 1.0), "db": (3, 0.6)}, "what one author has written stays unknown"
    many = [world.item(number, title="", body="bolt", url="", author=None) for number in (11, 12, 13)]
    for item in many:
        world.sample(item, share=0.2)  # each stands for five
    assert learned(world) == {"acme": (5, 0.25), "db": (3, 0.15), "bolt": (3, 0.75)}
    assert word_frequencies.load(db) == {"acme": 0.25, "db": pytest.approx(0.15), "bolt": 0.75}


def test_nothing_is_known_before_something_was_learned(world: World, db: Db) -> None:
    assert word_frequencies.load(db) is None
    assert learned_words.learn(db) == 0
    assert word_frequencies.load(db) is None


def test_what_cannot_be_stored_or_is_very_long_is_left_out(world: World) -> None:
    for number, author in enumerate("abcd", 1):
        body = f"fine {'x' * 41} \ud800y \x00 é😀"
        world.sample(world.item(number, title="", body=body, url="", author=author))
    assert {"fine", "e", "😀"} <= learned(world).keys()
    assert not any(len(word) > 40 for word in learned(world))


def test_a_part_of_many_items_stands_for_all(world: World, db: Db) -> None:
    world.workspace()
    for number in range(1, 41):
        world.sample(world.item(number, author=f"a{number % 4}"), share=0.5)
    for row, number in zip(world.rows(SampledItem, "item"), range(40), strict=True):
        SampledItem.update(priority=number / 80).where(SampledItem.item == row[0]).execute(db.peewee)
    all_of_them = list(sample.sampled_by_author(db, "reddit", 100))
    assert (len(all_of_them), {found.weight for found in all_of_them}) == (40, {2.0})
    authors = [found.item.author for found in all_of_them]
    assert authors == sorted(authors, key=str)
    some = list(sample.sampled_by_author(db, "reddit", 10))
    assert (len(some), {found.weight for found in some}) == (10, {8.0})


def test_the_most_frequent_words_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned_words, "MAX_WORDS", 2)
    for number, body in enumerate(["a b c", "a b c", "a b c", "a b", "a"], 1):
        world.sample(world.item(number, title="", body=body, url="", author=f"u{number}"))
    assert learned(world) == {"a": (5, 1.0), "b": (4, 0.8)}


def test_counting_needs_no_more_memory_for_very_many_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned_words, "MAX_COUNTED", 50)
    counts = WordCounts()
    for number in range(1, 200):
        body = f"common {' '.join(f'w{number}x{each}' for each in range(20))}"
        counts.add(sample.Sampled(world.item(number, title="", body=body, url="", author=f"u{number}"), 1.0))
        assert len(counts._weights) <= 50
    assert [word for word, _, _ in counts.frequent()] == ["common"]


def test_of_several_processes_one_learns_and_not_too_often(db: Db, clock: Clock, race: Race) -> None:
    assert sum(race(*[lambda: heartbeats.claim(db, "words", clock(), 60)] * 4)) == 1
    assert not heartbeats.claim(db, "words", clock.advance(59), 60)
    assert sum(race(*[lambda: heartbeats.claim(db, "words", clock() + 1, 60)] * 4)) == 1
