"""Signing in through an identity provider, and every way in which that must fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr
from sqlalchemy import select

from schoolhouse.accounts.people import NewAccount, add_person, list_people
from schoolhouse.accounts.tables import sessions
from schoolhouse.settings import Settings
from tests.web.conftest import Reply, Site, serving
from tests.web.fake_identity_provider import FakeProvider, running_provider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def site(campus_settings: Settings, provider: FakeProvider, tmp_path: Path) -> Iterator[Site]:
    changes: dict[str, Any] = {
        "oidc_issuer": provider.address,
        "oidc_client_id": "schoolhouse",
        "database_url": SecretStr(f"sqlite:///{tmp_path / 'accounts.sqlite'}"),
    }
    with serving(campus_settings.model_copy(update=changes)) as served:
        add_person(served.app.state.schoolhouse.database.engine, NewAccount("kim@school.example", "admin"))
        yield served


def _sign_in(site: Site, provider: FakeProvider, *, state: str = "", cookie: str = "", **claims: Any) -> Reply:
    """What the browser does: go to the provider, and come back with a code."""
    begun = site.get("/sign-in/openid?next=/admin/audit")
    assert begun.status == 303
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    assert asked["redirect_uri"] == f"{site.address}/sign-in/openid/answer"
    provider.challenges["code-1"] = asked["code_challenge"]
    provider.claims = {"nonce": asked["nonce"], "email": "kim@school.example", "email_verified": True, **claims}
    kept = cookie or begun.headers["set-cookie"].split(";")[0]
    return site.get(f"/sign-in/openid/answer?code=code-1&state={state or asked['state']}", Cookie=kept)


def test_the_account_with_the_verified_address_is_signed_in(site: Site, provider: FakeProvider) -> None:
    reply = _sign_in(site, provider)
    assert (reply.status, reply.headers["location"]) == (303, "/admin/audit")
    database = site.app.state.schoolhouse.database
    with database.engine.connect() as connection:
        assert len(connection.execute(select(sessions)).all()) == 1
    assert database.audit.entries(action="sign-in")[0].who == "kim@school.example"


def test_from_then_on_the_subject_counts_and_not_the_address(site: Site, provider: FakeProvider) -> None:
    assert _sign_in(site, provider).status == 303
    assert _sign_in(site, provider, email="renamed@school.example").status == 303
    assert _sign_in(site, provider, sub="somebody-else").status == 401  # the address is another's now


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email": "stranger@school.example"},
        {"nonce": "another"},
        {"aud": "another-client"},
        {"iss": "https://evil.example"},
        {"exp": int(time.time()) - 3600},
        {"sub": None},
    ],
)
def test_what_does_not_hold_lets_nobody_in(site: Site, provider: FakeProvider, claims: dict[str, Any]) -> None:
    refused = _sign_in(site, provider, **claims)
    assert refused.status == 401
    assert "schoolhouse_session" not in refused.headers.get("set-cookie", "")


def test_a_token_signed_by_another_key_lets_nobody_in(site: Site, provider: FakeProvider) -> None:
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
    assert _sign_in(site, provider).status == 401


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(site: Site, provider: FakeProvider) -> None:
    assert _sign_in(site, provider, state="forged").status == 401
    assert _sign_in(site, provider, cookie="schoolhouse_openid=nonsense").status == 401
    assert site.get("/sign-in/openid/answer?code=x&state=y").status == 401


def test_strangers_get_an_account_only_where_the_settings_say_so(
    campus_settings: Settings, provider: FakeProvider, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {
        "oidc_issuer": provider.address,
        "oidc_client_id": "schoolhouse",
        "oidc_default_role": "instructor",
        "database_url": SecretStr(f"sqlite:///{tmp_path / 'accounts.sqlite'}"),
    }
    with serving(campus_settings.model_copy(update=changes)) as site:
        engine = site.app.state.schoolhouse.database.engine
        add_person(engine, NewAccount("root", "admin"))
        assert _sign_in(site, provider, email="new@school.example").status == 303
        new = next(person for person in list_people(engine) if person.name == "new@school.example")
        assert (new.role, new.sections) == ("instructor", frozenset())


def test_a_dead_provider_is_said_plainly(campus_settings: Settings) -> None:
    changes: dict[str, Any] = {"oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": "x"}
    with serving(campus_settings.model_copy(update=changes)) as site:
        failed = site.get("/sign-in/openid")
        assert (failed.status, failed.json()["error"]["code"]) == (502, "identity_provider")
    with serving(campus_settings) as site:
        assert site.get("/sign-in/openid").status == 404
