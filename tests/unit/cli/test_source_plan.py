"""``overheard source plan``."""

from __future__ import annotations

import pytest

from overheard.db.models import Feed
from overheard.process import RunningProcess

from .conftest import Run, lines


@pytest.fixture(autouse=True)
def _reddit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERHEARD_REDDIT__CLIENT_ID", "x")
    monkeypatch.setenv("OVERHEARD_REDDIT__USER_AGENT", "x")


def set_rate(running: RunningProcess, kind: str, rate: float) -> None:
    Feed.update(rate=rate).where(Feed.kind == kind).execute(running.db.peewee)


def test_all_of_reddit_is_read_by_the_items_numbers(run: Run, running: RunningProcess) -> None:
    run("workspace", "add", "big", "--query", "x", "--subreddit", "all", "--kinds", "posts")
    run("workspace", "add", "small", "--query", "x", "--subreddit", "python", "--kinds", "posts")
    set_rate(running, "posts", 17.0)
    *groups, totals = lines(run("source", "plan", "--format", "json").stdout)
    method_of = {tuple(group["feeds"]): group["method"] for group in groups}
    assert method_of == {("all",): "ids", ("python",): "list"}
    (all_of_it,) = [group for group in groups if group["method"] == "ids"]
    assert 11.0 < all_of_it["requests_per_minute"] < 20.0
    assert totals["planned_per_minute"] <= totals["budget_per_minute"]


def test_what_the_budget_cannot_afford_is_named(
    run: Run, running: RunningProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERHEARD_LIMITS__BUDGET_PERCENT", "200")  # one workspace may take it all
    run("workspace", "add", "big", "--query", "x", "--subreddit", "all")
    set_rate(running, "posts", 17.0)
    assert "leave them out" not in run("source", "plan").output
    set_rate(running, "comments", 126.0)
    output = " ".join(run("source", "plan").output.split())
    assert "Comments of all of Reddit need about 9" in output
    assert "of 90 requests a minute; leave them out, or add a client." in output
    assert "leave them out, or add a client" in " ".join(run("status").output.split())
