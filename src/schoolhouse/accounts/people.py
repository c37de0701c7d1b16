"""Accounts, and what the people behind them may see.

- `admin`       everything, and the admin pages
- `instructor`  the sections that the account lists, with the identifiers of their learners
- `author`      the projects that the account lists, without identifiers
- `analyst`     every section and project, without identifiers

Whether identifiers are shown follows from the role, and an account may differ.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from sqlalchemy import Connection, Engine, Row, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from schoolhouse.accounts import passwords
from schoolhouse.accounts.scopes import Scope
from schoolhouse.accounts.tables import account_projects, account_sections, accounts, saved_questions, sessions
from schoolhouse.errors import NotFound, NotSignedIn, UsageError

Role = Literal["admin", "instructor", "author", "analyst"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,199}")
_SEE_ALL: Final = frozenset({"admin", "analyst"})
_SEE_IDENTIFIERS: Final = frozenset({"admin", "instructor"})


@dataclass(frozen=True)
class Person:
    """Somebody who has shown who they are. `id` 0 is the local operator, who has no account."""

    id: int
    name: str
    role: Role
    sections: frozenset[Scope] = field(default_factory=frozenset)
    projects: frozenset[Scope] = field(default_factory=frozenset)
    may_see_learner_identifiers: bool = False

    @property
    def is_admin(self) -> bool:
        """Whether the admin pages are theirs."""
        return self.role == "admin"

    @property
    def sees_everything(self) -> bool:
        """Whether every section and project is theirs."""
        return self.role in _SEE_ALL

    def may_see_section(self, platform: str, section_id: int) -> bool:
        """Whether this section's rows may reach them."""
        return self.sees_everything or Scope(platform, section_id) in self.sections

    def may_see_project(self, platform: str, project_id: int) -> bool:
        """Whether this project's rows may reach them."""
        return self.sees_everything or Scope(platform, project_id) in self.projects


LOCAL_OPERATOR: Final = Person(id=0, name="local operator", role="admin", may_see_learner_identifiers=True)


@dataclass(frozen=True)
class NewAccount:
    """What a new account is made of. Without a password, only an identity provider can sign it in."""

    name: str
    role: str
    password: str = ""
    identity: str = ""
    sections: Iterable[Scope] = ()
    projects: Iterable[Scope] = ()
    sees_identifiers: bool | None = None


def check_role(role: str) -> Role:
    """The role. Raises UsageError."""
    if role not in get_args(Role):
        raise UsageError(f"There is no role {role!r}.", hint=f"It is one of {', '.join(get_args(Role))}.")
    return cast(Role, role)


def add_person(engine: Engine, new: NewAccount) -> Person:
    """Add an account. Raises UsageError when the name is taken or malformed, the role unknown, the password weak."""
    name = new.name.strip().lower()
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"An account cannot be called {new.name!r}.", hint="Use letters, digits and . _ @ + -, such as an address."
        )
    role = check_role(new.role)
    sees = role in _SEE_IDENTIFIERS if new.sees_identifiers is None else new.sees_identifiers
    values = {
        "name": name,
        "role": role,
        "password_hash": passwords.hash_password(new.password) if new.password else "",
        "identity": new.identity or None,
        "may_see_learner_identifiers": sees,
        "created_at": time.time(),
    }
    try:
        with engine.begin() as connection:
            account_id = int(connection.execute(insert(accounts).values(values)).inserted_primary_key[0])  # type: ignore[index]
            _write_scopes(connection, account_id, new.sections, new.projects)
    except IntegrityError:
        raise UsageError(f"There is an account {name} already.", hint="See `schoolhouse user list`.") from None
    return person_by_id(engine, account_id) or LOCAL_OPERATOR


def change_role(
    engine: Engine,
    name: str,
    role: str,
    *,
    scopes: tuple[Iterable[Scope], Iterable[Scope]] = ((), ()),
    sees_identifiers: bool | None = None,
) -> Person:
    """Give an account another role, sections and projects; what it had before is gone. Its sessions end.

    Raises:
        NotFound: there is no such account.
        UsageError: it is the last admin, and would be none.
    """
    checked = check_role(role)
    sees = checked in _SEE_IDENTIFIERS if sees_identifiers is None else sees_identifiers
    with engine.begin() as connection:
        account_id = _id_of(connection, name)
        if checked != "admin":
            _keep_an_admin(connection, account_id)
        changed = update(accounts).where(accounts.c.id == account_id)
        connection.execute(changed.values(role=checked, may_see_learner_identifiers=sees))
        for table in (account_sections, account_projects):
            connection.execute(delete(table).where(table.c.account_id == account_id))
        _write_scopes(connection, account_id, *scopes)
        connection.execute(delete(sessions).where(sessions.c.account_id == account_id))
    found = person_by_id(engine, account_id)
    assert found is not None  # noqa: S101 - it was there a moment ago, in the same transaction
    return found


def change_password(engine: Engine, name: str, password: str) -> None:
    """Set a password; every session of the account ends. Raises NotFound, UsageError."""
    kept = passwords.hash_password(password)
    with engine.begin() as connection:
        account_id = _id_of(connection, name)
        connection.execute(update(accounts).where(accounts.c.id == account_id).values(password_hash=kept))
        connection.execute(delete(sessions).where(sessions.c.account_id == account_id))


def remove_person(engine: Engine, name: str) -> None:
    """Remove an account with its sessions, tokens and unshared questions, which the next of that name would find.

    Raises NotFound, and UsageError for the last admin.
    """
    with engine.begin() as connection:
        account_id = _id_of(connection, name)
        _keep_an_admin(connection, account_id)
        own = (saved_questions.c.owner == name.strip().lower()) & ~saved_questions.c.is_shared
        connection.execute(delete(saved_questions).where(own))
        connection.execute(delete(accounts).where(accounts.c.id == account_id))


def has_accounts(engine: Engine) -> bool:
    """Whether anybody has an account."""
    with engine.connect() as connection:
        return connection.scalar(select(accounts.c.id).limit(1)) is not None


def list_people(engine: Engine) -> list[Person]:
    """Everybody, by name."""
    with engine.connect() as connection:
        rows = connection.execute(select(accounts).order_by(accounts.c.name)).all()
        return [_person(connection, row) for row in rows]


def person_by_id(engine: Engine, account_id: int) -> Person | None:
    """The person of an account."""
    with engine.connect() as connection:
        row = connection.execute(select(accounts).where(accounts.c.id == account_id)).first()
        return _person(connection, row) if row else None


def person_by_name(engine: Engine, name: str) -> Person:
    """The person with this name. Raises NotFound."""
    with engine.connect() as connection:
        found = person_by_id(engine, _id_of(connection, name))
    assert found is not None  # noqa: S101
    return found


def person_by_identity(engine: Engine, identity: str) -> Person | None:
    """The person whom an identity provider knows by this issuer and subject."""
    with engine.connect() as connection:
        row = connection.execute(select(accounts).where(accounts.c.identity == identity)).first()
        return _person(connection, row) if row else None


def link_identity(engine: Engine, name: str, identity: str) -> Person | None:
    """The person with this name, whom the provider knows by this identity from now on.

    None when there is no such account, or when it is linked already: to another identity, then.
    """
    with engine.begin() as connection:
        unlinked = (accounts.c.name == name) & accounts.c.identity.is_(None)
        account_id = connection.scalar(select(accounts.c.id).where(unlinked))
        if account_id is None:
            return None
        connection.execute(update(accounts).where(accounts.c.id == account_id).values(identity=identity))
    return person_by_id(engine, account_id)


def sign_in(engine: Engine, name: str, password: str, address: str) -> Person:
    """The person with this name and password.

    Raises:
        NotSignedIn: the two do not go together.
        TooManyAttempts: this name or address failed too often lately.
    """
    passwords.check_attempts(engine, name, address)
    with engine.connect() as connection:
        row: Any = connection.execute(select(accounts).where(accounts.c.name == name.strip().lower())).first()
        found = _person(connection, row) if row else None
    if not passwords.is_right(password, row.password_hash if row else "") or found is None:
        passwords.note_failure(engine, name, address)
        raise NotSignedIn("The name or the password is wrong.")
    passwords.forget_failures(engine, name)
    return found


def _person(connection: Connection, row: Row[Any]) -> Person:
    return Person(
        id=row.id,
        name=row.name,
        role=cast(Role, row.role),
        sections=_read_scopes(connection, account_sections, row.id),
        projects=_read_scopes(connection, account_projects, row.id),
        may_see_learner_identifiers=bool(row.may_see_learner_identifiers),
    )


def _read_scopes(connection: Connection, table: Table, account_id: int) -> frozenset[Scope]:
    rows: Sequence[Any] = connection.execute(select(table).where(table.c.account_id == account_id)).all()
    return frozenset(Scope(platform, int(number)) for _, platform, number in rows)


def _write_scopes(
    connection: Connection, account_id: int, sections: Iterable[Scope], projects: Iterable[Scope]
) -> None:
    for table, number, scopes in (
        (account_sections, "section_id", sections),
        (account_projects, "project_id", projects),
    ):
        rows = [
            {"account_id": account_id, "platform": scope.platform, number: str(scope.number)}
            for scope in sorted(set(scopes))
        ]
        if rows:
            connection.execute(insert(table), rows)


def _id_of(connection: Connection, name: str) -> int:
    found = connection.scalar(select(accounts.c.id).where(accounts.c.name == name.strip().lower()))
    if found is None:
        raise NotFound(f"There is no account {name.strip()!r}.", hint="See `schoolhouse user list`.")
    return int(found)


def _keep_an_admin(connection: Connection, account_id: int) -> None:
    """The last admin must stay one: without accounts everybody on this machine would be the operator again."""
    role = connection.scalar(select(accounts.c.role).where(accounts.c.id == account_id))
    if role != "admin":
        return
    others = select(func.count()).where(accounts.c.role == "admin", accounts.c.id != account_id)
    if not connection.scalar(others):
        raise UsageError("This is the last admin.", hint="Make another account an admin first.")
