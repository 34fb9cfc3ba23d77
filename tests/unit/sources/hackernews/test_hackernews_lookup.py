"""Items of Hacker News are looked up one by one; what could not be asked for is said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from overheard.errors import BudgetExhausted, InvalidInput, RetryableError
from overheard.sources.hackernews import names
from tests.unit.sources.hackernews_world import HackerNewsDesk


@pytest.fixture
def desk() -> Iterator[HackerNewsDesk]:
    with HackerNewsDesk() as made:
        yield made


def test_items_that_exist_are_gone_or_are_absent(desk: HackerNewsDesk) -> None:
    simulator = desk.simulator
    kept, deleted, dead, hole = (
        *(str(simulator.add_story(f"Story {number}", "text")) for number in range(3)),
        str(simulator.add_hole()),
    )
    simulator.delete(int(deleted))
    simulator.kill(int(dead))
    simulator.edit(int(kept), "new text")
    result = desk.source.look_up([kept, deleted, dead, hole], desk.budget)
    assert [(item.id, item.body) for item in result.items] == [(kept, "new text")]
    assert (result.gone, result.absent, result.unanswered) == ((deleted, dead), (hole,), ())
    assert desk.budget.taken == desk.requested("/item/") == 4


def test_a_comment_is_looked_up_without_its_story(desk: HackerNewsDesk) -> None:
    comment = desk.simulator.add_comment(desk.simulator.add_story("Story"), "text")
    [item] = desk.source.look_up([str(comment)], desk.budget).items
    assert item.body == "text"
    assert desk.budget.taken == 1


def test_what_could_not_be_asked_for_is_unanswered(desk: HackerNewsDesk) -> None:
    ids = [str(desk.simulator.add_story(f"Story {number}")) for number in range(6)]
    desk.simulator.faults.fail(500, path=f"/item/{ids[1]}")
    desk.budget.tokens = 4
    result = desk.source.look_up(ids, desk.budget)
    assert [item.id for item in result.items] == [ids[0], ids[2], ids[3]]
    assert (result.absent, result.unanswered) == ((), (ids[1], ids[4], ids[5]))


def test_without_any_answer_there_is_no_result(desk: HackerNewsDesk) -> None:
    ids = [str(desk.simulator.add_story(f"Story {number}")) for number in range(6)]
    desk.simulator.faults.html(times=100)
    with pytest.raises(RetryableError):
        desk.source.look_up(ids, desk.budget)
    desk.budget.tokens = desk.budget.taken
    with pytest.raises(BudgetExhausted):
        desk.source.look_up(ids, desk.budget)


def test_an_unreadable_item_is_neither_gone_nor_absent(desk: HackerNewsDesk) -> None:
    story = str(desk.simulator.add_story("Story"))
    desk.simulator.faults.body(f'{{"id": {story}, "type": []}}')
    result = desk.source.look_up([story], desk.budget)
    assert (result.items, result.gone, result.absent, result.unanswered) == ((), (), (), ())


def test_names() -> None:
    assert names.check_place(" All ") == "all"
    with pytest.raises(InvalidInput, match="not divided"):
        names.check_place("show")
    assert names.check_author(" pg ") == "pg"
    for wrong in ("", "a b", "x" * 51, "pg\n/"):
        with pytest.raises(InvalidInput):
            names.check_author(wrong)
    assert names.ITEM_ID.fullmatch("8863")
    assert not names.ITEM_ID.fullmatch("08")
