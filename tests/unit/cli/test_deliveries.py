"""``overheard deliveries``."""

from __future__ import annotations

from collections.abc import Callable

from overheard.db.models import Delivery, FailedTry
from overheard.process import RunningProcess

from .conftest import Run, lines, rows

Mention = Callable[..., None]
KEYS = [
    "id", "workspace", "channel", "type", "state", "held_by", "attempts", "created_at", "next_try_at", "sent_at",
    "error", "mentions",
]  # fmt: skip


def change(running: RunningProcess, **values: object) -> str:
    """Change the only delivery; return its id."""
    Delivery.update(values).execute(running.db.peewee)
    return str(Delivery.select(Delivery.id).scalar(running.db.peewee))


def test_json_keys_are_stable_and_csv_has_the_same_columns(run: Run, mention: Mention) -> None:
    mention("t3_1", age=0)
    (found,) = lines(run("deliveries", "list", "--format", "json").stdout)
    assert list(found) == KEYS
    assert (found["workspace"], found["channel"], found["type"]) == ("acme", "team", "mention.created")
    assert (found["state"], found["held_by"], found["attempts"], found["sent_at"]) == ("pending", None, 0, None)
    assert found["created_at"].endswith("Z")
    assert found["next_try_at"] == found["created_at"]
    (mentioned,) = lines(run("mentions", "--format", "json").stdout)
    assert found["mentions"] == [mentioned["id"]]
    (row,) = rows(run("deliveries", "list", "--format", "csv").stdout)
    assert list(row) == KEYS
    assert row["mentions"] == mentioned["id"]


def test_a_table_says_first_what_is_held_and_muted(run: Run, mention: Mention, running: RunningProcess) -> None:
    mention("t3_1", age=0)
    change(running, state="muted", held_by="mute: author \x1b[31mbot")
    table = run("deliveries", "list").stdout.splitlines()
    assert table[1].split() == ["1", "muted", "mute:", "author", "[31mbot"]
    assert "muted by mute: author [31mbot" in table[-1]
    (counted,) = lines(run("deliveries", "list", "--by", "reason", "--format", "json").stdout)
    assert counted == {"state": "muted", "held_by": "mute: author \x1b[31mbot", "count": 1}
    assert run("deliveries", "list", "--by", "reason", "--state", "held").stdout == "Nothing is held or muted.\n"


def test_a_table_is_limited_to_fifty_rows_and_says_so(run: Run, mention: Mention) -> None:
    for number in range(50):
        mention(f"t3_{number}", age=0)
    whole = run("deliveries", "list")
    assert (len(whole.stdout.splitlines()), whole.stderr) == (51, "")
    mention("t3_50", age=0)
    table = run("deliveries", "list")
    assert (len(table.stdout.splitlines()), table.stderr) == (51, "… and older ones; use --limit to show more\n")
    assert len(lines(run("deliveries", "list", "--format", "json").stdout)) == 51


def test_deliveries_are_filtered(run: Run, mention: Mention) -> None:
    mention("t3_1", age=0)
    chosen = ["--workspace", "acme", "--channel", "team", "--state", "pending", "--query", "snake", "--since", "1h"]
    assert len(lines(run("deliveries", "list", *chosen, "--format", "json").stdout)) == 1
    assert run("deliveries", "list", "--state", "sent").stdout == "No matching deliveries.\n"


def test_names_that_there_are_not_are_errors(run: Run, mention: Mention) -> None:
    for chosen, error in (
        (["--channel", "tema"], "no channel is called 'tema'; there are: team"),
        (["--workspace", "acme", "--query", "snak"], "workspace acme has no query 'snak'; it has: snake"),
        (["--query", "snak"], "no workspace has a query 'snak'"),
        (["--workspace", "nobody"], "no workspace 'nobody'; there are: acme"),
    ):
        result = run("deliveries", "list", *chosen)
        assert (result.exit_code, result.stderr) == (1, f"overheard: {error}\n")
    assert run("deliveries", "list", "--state", "lost").exit_code == 2


def test_one_is_shown_with_its_tries_and_mentions(run: Run, mention: Mention, running: RunningProcess) -> None:
    mention("t3_1", title="About python", age=0)
    key = change(running, state="failed", attempts=2, error="503 \x1b[31m")
    FailedTry.insert(delivery=key, at=running.clock(), error="503 \x1b[31m").execute(running.db.peewee)
    text = run("deliveries", "show", key).stdout
    assert "\x1b" not in text
    for words in (key, "acme/team", "failed", "503 [31m", "t3_1", "r/python", "About python"):
        assert words in text
    (found,) = lines(run("deliveries", "show", key, "--format", "json").stdout)
    assert list(found) == [*KEYS, "tries", "members", "bundled_into"]
    assert [each["error"] for each in found["tries"]] == ["503 \x1b[31m"]
    assert [each["item"] for each in found["members"]] == ["t3_1"]
    assert found["bundled_into"] is None
    missing = run("deliveries", "show", "msg_1")
    assert missing.exit_code == 1
    assert missing.stderr.startswith("overheard: no delivery 'msg_1'")


def test_a_retry_by_id_or_by_filter(run: Run, mention: Mention, running: RunningProcess) -> None:
    mention("t3_1", age=0)
    key = change(running, state="failed", error="410")
    for chosen in ([key], ["--workspace", "acme", "--state", "failed"], [key]):
        result = run("deliveries", "retry", *chosen, "--format", "json")
        assert result.exit_code == 0
        assert [row["state"] for row in lines(result.stdout)] in (["pending"], [])
    change(running, state="sent", sent_at=running.clock())
    refused = run("deliveries", "retry", key)
    assert refused.exit_code == 1
    assert refused.stderr == f"overheard: {key}: it was sent already: a receiver would get it twice\n"
    assert run("deliveries", "retry", "msg_1").exit_code == 1


def test_a_retry_needs_ids_or_a_filter(run: Run, mention: Mention) -> None:
    for chosen in ([], ["msg_1", "--state", "failed"]):
        assert run("deliveries", "retry", *chosen).exit_code == 2
