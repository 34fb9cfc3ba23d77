"""The identity of a database's installation."""

from __future__ import annotations

from overheard.db import instance, queries
from overheard.db.database import Db
from tests.fixtures import Race


def test_the_identity_exists_after_the_first_process_and_stays(db: Db, race: Race) -> None:
    assert instance.stored_id(db) == ""
    [whose] = set(race(*[lambda: instance.ensure_id(db)] * 4))
    assert (len(whose), instance.stored_id(db), instance.ensure_id(db)) == (16, whose, whose)
    assert queries.revision(db) == 0, "it shares a table with the index's counter, and nothing else"
