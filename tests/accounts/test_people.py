"""Accounts: who they are, what they may see, and how they prove it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from schoolhouse.accounts import people, questions, sessions, tokens
from schoolhouse.accounts.passwords import MAX_FAILURES_OF_NAME, note_failure
from schoolhouse.accounts.people import NewAccount, add_person, sign_in
from schoolhouse.accounts.scopes import Scope, parse_scope
from schoolhouse.accounts.tables import accounts, sign_in_failures
from schoolhouse.accounts.tables import sessions as sessions_table
from schoolhouse.accounts.tables import tokens as tokens_table
from schoolhouse.errors import NotFound, NotSignedIn, TooManyAttempts, UsageError

PASSWORD = "correct horse battery"
HOME = "127.0.0.1"
SECTION = Scope("https://torus.example", 42)
PROJECT = Scope("https://torus.example", 7)


@pytest.fixture
def ann(engine: Engine) -> people.Person:
    return add_person(engine, NewAccount("Ann@School.example", "instructor", PASSWORD, sections=[SECTION]))


def test_an_instructor_sees_the_sections_of_the_account_and_no_other(ann: people.Person) -> None:
    assert ann.name == "ann@school.example"
    assert ann.may_see_section("https://torus.example", 42)
    assert not ann.may_see_section("https://torus.example", 43)
    assert not ann.may_see_section("https://other.example", 42)  # the same number elsewhere is another section
    assert not ann.may_see_project("https://torus.example", 7)
    assert ann.may_see_learner_identifiers


@pytest.mark.parametrize(
    ("role", "section", "project", "identifiers"),
    [
        ("admin", True, True, True),
        ("instructor", False, False, True),
        ("author", False, False, False),
        ("analyst", True, True, False),
    ],
)
def test_a_role_says_what_is_seen_without_lists(
    engine: Engine, role: str, section: bool, project: bool, identifiers: bool
) -> None:
    person = add_person(engine, NewAccount("somebody", role))
    assert person.may_see_section("https://torus.example", 1) is section
    assert person.may_see_project("https://torus.example", 1) is project
    assert person.may_see_learner_identifiers is identifiers


def test_a_section_number_may_be_as_wide_as_the_warehouse_allows(engine: Engine) -> None:
    widest = Scope("https://torus.example", 2**64 - 1)
    assert add_person(engine, NewAccount("bo", "instructor", sections=[widest])).sections == {widest}


def test_names_passwords_and_roles_are_checked(engine: Engine, ann: people.Person) -> None:
    for new in (
        NewAccount("ann@school.example", "admin"),
        NewAccount("two words", "admin"),
        NewAccount("carl", "superuser"),
        NewAccount("dora", "admin", "short"),
        NewAccount("dora", "admin", "long" * 300),
    ):
        with pytest.raises(UsageError):
            add_person(engine, new)
    assert [person.name for person in people.list_people(engine)] == ["ann@school.example"]
    with pytest.raises(UsageError, match="10 to 1,000 characters"):
        people.change_password(engine, ann.name, "long" * 300)


def test_a_password_is_kept_as_an_argon2_hash(engine: Engine, ann: people.Person) -> None:
    with engine.connect() as connection:
        kept = connection.scalar(select(accounts.c.password_hash))
    assert str(kept).startswith("$argon2id$")
    assert PASSWORD not in str(kept)


def test_signing_in_takes_the_name_and_the_password(engine: Engine, ann: people.Person) -> None:
    assert sign_in(engine, " ANN@school.example", PASSWORD, HOME) == ann
    for name, password in (("ann@school.example", "wrong password"), ("nobody", PASSWORD), ("", "")):
        with pytest.raises(NotSignedIn):
            sign_in(engine, name, password, HOME)


def test_an_account_without_a_password_is_not_opened_by_any(engine: Engine) -> None:
    add_person(engine, NewAccount("bo", "analyst"))
    for password in ("", "nobody has this password"):
        with pytest.raises(NotSignedIn):
            sign_in(engine, "bo", password, HOME)


def test_guessing_ends_for_the_name_and_for_the_address(engine: Engine, ann: people.Person) -> None:
    for _ in range(MAX_FAILURES_OF_NAME - 1):
        note_failure(engine, ann.name, HOME)
    with pytest.raises(NotSignedIn):
        sign_in(engine, ann.name, "one guess more", HOME)
    with pytest.raises(TooManyAttempts):
        sign_in(engine, ann.name, PASSWORD, "10.0.0.1")
    with engine.begin() as connection:
        connection.execute(sign_in_failures.update().values(name_hash="another", address="10.0.0.9"))
        rows = [{"name_hash": f"n{n}", "address": "10.0.0.9", "at": sign_in_failures_time(engine)} for n in range(20)]
        connection.execute(sign_in_failures.insert(), rows)
    with pytest.raises(TooManyAttempts):
        sign_in(engine, ann.name, PASSWORD, "10.0.0.9")
    assert sign_in(engine, ann.name, PASSWORD, HOME) == ann


def sign_in_failures_time(engine: Engine) -> float:
    with engine.connect() as connection:
        return float(connection.scalar(select(sign_in_failures.c.at)) or 0)


def test_what_was_typed_as_a_name_is_not_kept(engine: Engine) -> None:
    with pytest.raises(NotSignedIn):
        sign_in(engine, "my-password-by-mistake", "", HOME)
    with engine.connect() as connection:
        assert "my-password-by-mistake" not in str(connection.execute(select(sign_in_failures)).all())


def test_a_session_ends_by_hand_by_time_and_with_a_new_password(engine: Engine, ann: people.Person) -> None:
    first = sessions.start_session(engine, ann, life_seconds=60)
    assert sessions.person_of_session(engine, first) == ann
    sessions.end_session(engine, first)
    assert sessions.person_of_session(engine, first) is None
    assert sessions.person_of_session(engine, sessions.start_session(engine, ann, life_seconds=-1)) is None
    second = sessions.start_session(engine, ann, life_seconds=60)
    people.change_password(engine, ann.name, "another long password")
    assert sessions.person_of_session(engine, second) is None
    assert sign_in(engine, ann.name, "another long password", HOME) == ann


def test_secrets_of_sessions_and_tokens_are_not_in_the_database(engine: Engine, ann: people.Person) -> None:
    session = sessions.start_session(engine, ann, life_seconds=60)
    token = tokens.create_token(engine, ann.name, "nightly report")
    with engine.connect() as connection:
        rows = str(connection.execute(select(sessions_table)).all()) + str(
            connection.execute(select(tokens_table)).all()
        )
    assert session not in rows
    assert token not in rows


def test_a_token_stands_for_its_account_until_it_is_revoked(engine: Engine, ann: people.Person) -> None:
    secret = tokens.create_token(engine, ann.name, "nightly report", days=30)
    assert tokens.person_of_token(engine, secret) == ann
    [kept] = tokens.list_tokens(engine)
    assert (kept.account, kept.name, kept.last_used_at is not None) == (ann.name, "nightly report", True)
    tokens.revoke_token(engine, kept.id)
    assert tokens.person_of_token(engine, secret) is None
    with pytest.raises(NotFound):
        tokens.revoke_token(engine, kept.id)


def test_an_expired_token_is_worth_nothing(engine: Engine, ann: people.Person) -> None:
    secret = tokens.create_token(engine, ann.name, "old", days=1)
    with engine.begin() as connection:
        connection.execute(tokens_table.update().values(expires_at=1.0))
    assert tokens.person_of_token(engine, secret) is None


def test_a_new_role_replaces_what_was_seen_and_ends_sessions(engine: Engine, ann: people.Person) -> None:
    session = sessions.start_session(engine, ann, life_seconds=60)
    changed = people.change_role(engine, ann.name, "author", scopes=((), (PROJECT,)))
    assert (changed.sections, changed.projects) == (frozenset(), {PROJECT})
    assert not changed.may_see_learner_identifiers
    assert sessions.person_of_session(engine, session) is None


def test_removing_an_account_takes_its_sessions_and_tokens(engine: Engine, ann: people.Person) -> None:
    session = sessions.start_session(engine, ann, life_seconds=60)
    token = tokens.create_token(engine, ann.name, "nightly report")
    people.remove_person(engine, ann.name)
    assert sessions.person_of_session(engine, session) is None
    assert tokens.person_of_token(engine, token) is None
    assert tokens.list_tokens(engine) == []
    with pytest.raises(NotFound):
        people.remove_person(engine, ann.name)


def test_a_new_account_does_not_find_what_one_of_the_same_name_kept_for_itself(
    engine: Engine, ann: people.Person
) -> None:
    for title, is_shared in (("mine", False), ("ours", True)):
        questions.keep_question(engine, "section 42", ann, questions.Draft(title, "SELECT 1", is_shared=is_shared))
    people.remove_person(engine, ann.name)
    another = add_person(engine, NewAccount(ann.name, "instructor", PASSWORD, sections=[SECTION]))
    assert [each.title for each in questions.list_questions(engine, "section 42", another)] == ["ours"]


def test_the_last_admin_stays(engine: Engine) -> None:
    add_person(engine, NewAccount("root", "admin"))
    with pytest.raises(UsageError):
        people.remove_person(engine, "root")
    with pytest.raises(UsageError):
        people.change_role(engine, "root", "analyst")
    add_person(engine, NewAccount("second", "admin"))
    people.remove_person(engine, "root")
    assert [person.name for person in people.list_people(engine)] == ["second"]


@pytest.mark.parametrize(
    "text", ["42", "42@torus.example", "@https://x.example", "-1@https://x.example", f"{2**64}@https://x"]
)
def test_a_scope_names_its_platform_in_full(text: str) -> None:
    with pytest.raises(UsageError):
        parse_scope(text)
    assert parse_scope(str(SECTION)) == SECTION
