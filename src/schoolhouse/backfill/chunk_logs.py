"""The logs of chunks: paged from the newest, and followed as they come.

Logs are ordered by their number. Two workers may commit in the other order than they drew their numbers, so whoever
follows looks a little back each time and leaves out what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, select

from schoolhouse.backfill.tables import TABLES, chunk_logs
from schoolhouse.errors import NotFound

RunKind = Literal["manual", "inventory"]

_LOOK_BACK: Final = 100
_MOST: Final = 200


def page_of_logs(
    connection: Connection,
    kind: RunKind,
    run_id: int,
    *,
    batch_id: int | None = None,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Logs of a run (or of one batch), the newest first.

    Args:
        connection: to the app's database.
        kind: of the run.
        run_id: of the run.
        batch_id: only this batch's.
        before: only those older than this number.
        after: only those newer than this number; then the oldest of them come, still newest first.
        limit: at most so many, and never more than 200.
    """
    column = chunk_logs.c.manual_run_id if kind == "manual" else chunk_logs.c.run_id
    question = select(chunk_logs).where(column == run_id).limit(max(1, min(limit, _MOST)))
    if batch_id is not None:
        question = question.where(chunk_logs.c.batch_id == batch_id)
    if before is not None:
        question = question.where(chunk_logs.c.id < before)
    if after is not None:
        question = question.where(chunk_logs.c.id > after).order_by(chunk_logs.c.id)
        return [dict(row) for row in reversed(connection.execute(question).mappings().all())]
    return [dict(row) for row in connection.execute(question.order_by(chunk_logs.c.id.desc())).mappings()]


def follow(
    engine: Engine,
    kind: RunKind,
    run_id: int,
    *,
    batch_id: int | None = None,
    last: int = 20,
    wait: Callable[[], None],
) -> Iterator[dict[str, Any]]:
    """The last logs of a run and every new one, oldest first, until the run has ended.

    `wait` passes the time between two looks.

    Raises:
        NotFound: there is no such run.
    """
    seen: set[int] = set()
    after: int | None = None
    while True:
        with engine.connect() as connection:
            has_ended = _has_ended(connection, kind, run_id)
            limit = last if after is None else _MOST
            start = None if after is None else max(after - _LOOK_BACK, 0)
            logs = page_of_logs(connection, kind, run_id, batch_id=batch_id, after=start, limit=limit)
        fresh = [log for log in reversed(logs) if log["id"] not in seen]
        if after is not None and logs and not fresh and len(logs) == _MOST:
            after = int(logs[0]["id"]) + _LOOK_BACK  # more than one page lay in what was looked back at
            continue
        for log in fresh:
            seen.add(int(log["id"]))
            yield log
        after = max(seen, default=after or 0)
        seen = {number for number in seen if number > after - 2 * _LOOK_BACK}
        if has_ended and not fresh:
            return
        if not fresh:
            wait()


def _has_ended(connection: Connection, kind: RunKind, run_id: int) -> bool:
    """Whether a run has ended and no worker writes about it any more."""
    table = TABLES[kind]
    row = connection.execute(select(table.c.finished_at).where(table.c.id == run_id)).first()
    if row is None:
        raise NotFound(f"There is no {kind} run {run_id}.", hint=f"See `schoolhouse backfill {kind} list`.")
    return row[0] is not None
