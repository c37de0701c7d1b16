"""The record of who saw and ran what."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from schoolhouse.accounts.audit import AuditLog


def test_acts_and_looks_are_read_newest_first(engine: Engine) -> None:
    audit = AuditLog(engine)
    audit.saw("ann", "section 42@torus.example", "/sections/42@torus.example")
    audit.did("bo", "query", "section 43@torus.example", "SELECT count() FROM raw_events", seconds=0.5)
    audit.close()
    assert {(entry.who, entry.action) for entry in audit.entries()} == {("ann", "view"), ("bo", "query")}
    [ran] = audit.entries(who="bo")
    assert (ran.subject, ran.outcome, ran.seconds) == ("section 43@torus.example", "ok", 0.5)
    assert audit.entries(action="view")[0].detail == "/sections/42@torus.example"


def test_what_looks_like_a_learner_or_a_secret_is_not_kept(engine: Engine) -> None:
    audit = AuditLog(engine)
    audit.did("ann", "query", detail="SELECT 1 WHERE user_id = 'kim@school.example' -- password=hunter2")
    [entry] = audit.entries()
    assert "kim@school.example" not in entry.detail
    assert "hunter2" not in entry.detail


def _rename(engine: Engine, name: str, new_name: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {name} RENAME TO {new_name}"))


@pytest.mark.parametrize(("looks", "kept"), [(2, 2), (10_005, 10_000)])
def test_looks_that_could_not_be_written_wait_for_the_next_time(engine: Engine, looks: int, kept: int) -> None:
    audit = AuditLog(engine)
    audit.close()  # no thread of its own writes
    for number in range(looks):
        audit.saw("ann", f"section {number}")
    _rename(engine, "audit_entries", "away")
    with pytest.raises(SQLAlchemyError):
        audit.flush()
    _rename(engine, "away", "audit_entries")
    entries = audit.entries(limit=20_000)
    assert [entry.subject for entry in entries] == [f"section {looks - 1 - number}" for number in range(kept)]
