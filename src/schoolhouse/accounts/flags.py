"""Which parts are switched on, and for whom.

A flag has a share, 0 to 100 percent of subjects (sections, projects), and choices for single subjects, which win.
Whether a subject is inside the share follows from a hash of flag and subject: it is the same on every machine, and a
subject that is in at 5 percent is in at 50 percent too. With nothing said, everything is on.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Engine, delete, insert, select

from schoolhouse.accounts.tables import flag_choices, flag_shares
from schoolhouse.errors import UsageError

FLAGS: Final[dict[str, str]] = {
    "clickhouse-olap": "The dashboards, custom SQL and the page /admin/clickhouse.",
    "clickhouse-olap-bulk-ingest": "Backfill: its pages and its API.",
    "section-analytics": "Dashboards and custom SQL of a section, staged by section.",
    "project-analytics": "Dashboards and custom SQL of a project, staged by project.",
}


def is_on(engine: Engine, flag: str, subject: str = "") -> bool:
    """Whether a flag is on for a subject; without a subject, whether it is on for everybody."""
    _check(flag)
    with engine.connect() as connection:
        choice = connection.scalar(
            select(flag_choices.c.is_on).where(flag_choices.c.flag == flag, flag_choices.c.subject == subject)
        )
        if choice is not None:
            return bool(choice)
        share = connection.scalar(select(flag_shares.c.share_percent).where(flag_shares.c.flag == flag))
    return place_of(flag, subject) < (100 if share is None else share)


def place_of(flag: str, subject: str) -> float:
    """Where a subject stands among all, 0 to 100: it is inside a share that is larger."""
    digest = hashlib.sha256(f"{flag}\n{subject}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100


def set_share(engine: Engine, flag: str, percent: int) -> None:
    """Switch a flag on for a share of subjects. Raises UsageError."""
    _check(flag)
    if not 0 <= percent <= 100:
        raise UsageError(f"A share is 0 to 100 percent, not {percent}.")
    with engine.begin() as connection:
        connection.execute(delete(flag_shares).where(flag_shares.c.flag == flag))
        connection.execute(insert(flag_shares).values(flag=flag, share_percent=percent))


def choose(engine: Engine, flag: str, subject: str, *, is_on: bool | None) -> None:
    """Switch a flag on or off for one subject; None lets the share decide again. Raises UsageError."""
    _check(flag)
    chosen = (flag_choices.c.flag == flag) & (flag_choices.c.subject == subject)
    with engine.begin() as connection:
        connection.execute(delete(flag_choices).where(chosen))
        if is_on is not None:
            connection.execute(insert(flag_choices).values(flag=flag, subject=subject, is_on=is_on))


def list_flags(engine: Engine) -> list[dict[str, object]]:
    """Every flag with its share and choices."""
    with engine.connect() as connection:
        shares = {row.flag: row.share_percent for row in connection.execute(select(flag_shares))}
        choices = connection.execute(select(flag_choices).order_by(flag_choices.c.subject)).all()
    return [
        {
            "flag": flag,
            "about": about,
            "share_percent": shares.get(flag, 100),
            "on_for": [row.subject for row in choices if row.flag == flag and row.is_on],
            "off_for": [row.subject for row in choices if row.flag == flag and not row.is_on],
        }
        for flag, about in FLAGS.items()
    ]


def _check(flag: str) -> None:
    if flag not in FLAGS:
        raise UsageError(f"There is no flag {flag!r}.", hint=f"The flags are {', '.join(FLAGS)}.")
