"""Passwords: argon2id with the library's defaults, and a limit on guessing.

Failures are counted by name and by address over the last quarter of an hour, in the database, so that several
processes share the count. An unknown name costs as long as a known one.
"""

from __future__ import annotations

import hashlib
import time
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import Engine, delete, func, insert, select

from schoolhouse.accounts.tables import sign_in_failures
from schoolhouse.errors import TooManyAttempts, UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 1000
WINDOW_SECONDS: Final = 900
MAX_FAILURES_OF_NAME: Final = 10
MAX_FAILURES_OF_ADDRESS: Final = 30


def hash_password(password: str) -> str:
    """The hash that is kept. Raises UsageError when the password is too short or absurdly long."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise UsageError(
            f"A password has {MIN_LENGTH} to {MAX_LENGTH:,} characters.", hint="Several words are easy to keep."
        )
    return _hasher().hash(password)


def is_right(password: str, kept_hash: str) -> bool:
    """Whether the password is the one that was hashed; as slow for an account without a password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(kept_hash or _some_hash(), password[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return bool(kept_hash)


def check_attempts(engine: Engine, name: str, address: str) -> None:
    """Raise TooManyAttempts when this name or this address failed too often lately."""
    since = time.time() - WINDOW_SECONDS
    table = sign_in_failures.c
    count = select(func.count()).where(table.at > since)
    with engine.connect() as connection:
        of_name = connection.scalar(count.where(table.name_hash == _name_hash(name))) or 0
        of_address = connection.scalar(count.where(table.address == address)) or 0
    if of_name >= MAX_FAILURES_OF_NAME or of_address >= MAX_FAILURES_OF_ADDRESS:
        raise TooManyAttempts("Too many failed attempts to sign in.", hint="Try again in a quarter of an hour.")


def note_failure(engine: Engine, name: str, address: str) -> None:
    """Count a failure; old ones are forgotten."""
    now = time.time()
    with engine.begin() as connection:
        connection.execute(delete(sign_in_failures).where(sign_in_failures.c.at <= now - WINDOW_SECONDS))
        connection.execute(insert(sign_in_failures).values(name_hash=_name_hash(name), address=address, at=now))


def forget_failures(engine: Engine, name: str) -> None:
    """Forget the failures of a name that has signed in."""
    with engine.begin() as connection:
        connection.execute(delete(sign_in_failures).where(sign_in_failures.c.name_hash == _name_hash(name)))


def _name_hash(name: str) -> str:
    # People type passwords into the field for names: what was typed is not kept.
    return hashlib.sha256(name.strip().lower().encode()).hexdigest()


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _some_hash() -> str:
    return _hasher().hash("nobody has this password")
