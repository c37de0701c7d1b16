"""Tells of every run at its end: a line in the log, and a POST to BACKFILL_WEBHOOK_URL where that is set.

The body is JSON: kind, id, status, times, counts, error and who started it; never a pattern's credentials, as there are
none. A receiver that fails is tried again, five times in all.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from sqlalchemy import Engine

from schoolhouse import webhook
from schoolhouse.backfill.chunk_logs import RunKind
from schoolhouse.backfill.runs import take_notice, untake_notice
from schoolhouse.backfill.tables import COUNTS
from schoolhouse.settings import Settings

log = logging.getLogger(__name__)

_MOST_TRIES: Final = 5
_FACTS: Final = ("id", "status", "dry_run", "initiated_by", "error", "started_at", "finished_at", "total_objects")


def tell_of_ended_runs(engine: Engine, settings: Settings) -> int:
    """Tell of every run that has ended since; returns of how many."""
    told = 0
    while (found := take_notice(engine)) is not None:
        kind, row = found
        facts = facts_of(kind, row)
        if int(row["notify_attempts"]) == 1:
            log.info("a backfill has ended", extra={name: facts[name] for name in ("kind", "id", "status", *COUNTS)})
        told += 1
        if not _post(settings.backfill_webhook_url.get_secret_value(), facts):
            if int(row["notify_attempts"]) < _MOST_TRIES:
                untake_notice(engine, kind, int(row["id"]))
            return told  # the others wait for the next round too
    return told


def facts_of(kind: RunKind, row: dict[str, Any]) -> dict[str, Any]:
    """What a notice says."""
    return {"kind": kind, **{name: row[name] for name in (*_FACTS, *COUNTS)}}


def _post(url: str, facts: dict[str, Any]) -> bool:
    """Send it; whether the receiver took it."""
    reason = webhook.send(url, facts) if url else ""
    if reason:
        log.warning("the webhook did not take a notice", extra={"run": facts["id"], "reason": reason})
    return not reason
