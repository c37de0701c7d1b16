"""What a browser holds after signing in: 256 random bits, of which a hash is kept. They end by time or by hand."""

from __future__ import annotations

import hashlib
import secrets
import time

from sqlalchemy import Engine, delete, insert, select

from schoolhouse.accounts.people import Person, person_by_id
from schoolhouse.accounts.tables import sessions


def start_session(engine: Engine, person: Person, *, life_seconds: float) -> str:
    """Start a session; returns the secret that the browser keeps."""
    secret, now = secrets.token_urlsafe(32), time.time()
    values = {
        "secret_hash": secret_hash(secret),
        "account_id": person.id,
        "created_at": now,
        "expires_at": now + life_seconds,
    }
    with engine.begin() as connection:
        connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
        connection.execute(insert(sessions).values(values))
    return secret


def person_of_session(engine: Engine, secret: str) -> Person | None:
    """Whose session it is, or None when it ended or never was."""
    query = select(sessions.c.account_id).where(
        sessions.c.secret_hash == secret_hash(secret), sessions.c.expires_at > time.time()
    )
    with engine.connect() as connection:
        account_id = connection.scalar(query)
    return person_by_id(engine, account_id) if account_id is not None else None


def end_session(engine: Engine, secret: str) -> None:
    """End a session."""
    with engine.begin() as connection:
        connection.execute(delete(sessions).where(sessions.c.secret_hash == secret_hash(secret)))


def secret_hash(secret: str) -> str:
    """What is kept of a random secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
