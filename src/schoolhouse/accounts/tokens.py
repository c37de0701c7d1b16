"""What a program holds: `sht_` and 256 random bits. It may do what its account may do, until it is revoked."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, delete, insert, or_, select, update

from schoolhouse.accounts.people import Person, person_by_id, person_by_name
from schoolhouse.accounts.sessions import secret_hash
from schoolhouse.accounts.tables import accounts, tokens
from schoolhouse.errors import NotFound, UsageError

PREFIX: Final = "sht_"
_DAY_SECONDS: Final = 86_400
_USE_STEP_SECONDS: Final = 60  # the time of last use is this exact: not every request shall write


@dataclass(frozen=True)
class Token:
    """A token without its secret; times are UTC seconds since 1970."""

    id: int
    account: str
    name: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None


def create_token(engine: Engine, account: str, name: str, *, days: int | None = None) -> str:
    """Create a token; returns it whole, which nobody can do again. Raises NotFound, UsageError."""
    if not name.strip() or len(name) > 200:
        raise UsageError("A token needs a name that says what it is for.", hint="Up to 200 characters.")
    person = person_by_name(engine, account)
    secret, now = PREFIX + secrets.token_urlsafe(32), time.time()
    values = {
        "account_id": person.id,
        "name": name.strip(),
        "secret_hash": secret_hash(secret),
        "created_at": now,
        "expires_at": now + days * _DAY_SECONDS if days else None,
    }
    with engine.begin() as connection:
        connection.execute(insert(tokens).values(values))
    return secret


def person_of_token(engine: Engine, secret: str) -> Person | None:
    """Whose token it is, or None."""
    if not secret.startswith(PREFIX):
        return None
    now = time.time()
    query = select(tokens.c.id, tokens.c.account_id, tokens.c.last_used_at).where(
        tokens.c.secret_hash == secret_hash(secret),
        or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now),
    )
    with engine.connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    if row.last_used_at is None or row.last_used_at < now - _USE_STEP_SECONDS:
        with engine.begin() as connection:
            connection.execute(update(tokens).where(tokens.c.id == row.id).values(last_used_at=now))
    return person_by_id(engine, row.account_id)


def list_tokens(engine: Engine) -> list[Token]:
    """Every token, without its secret."""
    query = (
        select(
            tokens.c.id,
            accounts.c.name.label("account"),
            tokens.c.name,
            tokens.c.created_at,
            tokens.c.expires_at,
            tokens.c.last_used_at,
        )
        .join(accounts, accounts.c.id == tokens.c.account_id)
        .order_by(tokens.c.id)
    )
    with engine.connect() as connection:
        return [Token(*row) for row in connection.execute(query)]


def revoke_token(engine: Engine, token_id: int) -> None:
    """Make a token worthless from its next use on. Raises NotFound."""
    with engine.begin() as connection:
        gone = connection.execute(delete(tokens).where(tokens.c.id == token_id)).rowcount
    if not gone:
        raise NotFound(f"There is no token {token_id}.", hint="See `schoolhouse token list`.")
