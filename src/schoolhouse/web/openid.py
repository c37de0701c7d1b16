"""Signing in through an identity provider: OpenID Connect, authorization code with PKCE.

The provider says who somebody is; what they may see is ours to say: the account must be there. It is found by the
provider's issuer and subject, or, the first time, by a verified e-mail address that equals its name. Only where
OIDC_DEFAULT_ROLE is set does an unknown person get an account, which sees no section and no project yet.

State, nonce and verifier wait in a cookie of this browser for ten minutes; the answer must carry the same state.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, Query, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import Engine
from starlette.responses import RedirectResponse, Response

from schoolhouse.accounts.people import NewAccount, Person, add_person, link_identity, person_by_identity
from schoolhouse.errors import IdentityProviderError, NotFound, NotSignedIn
from schoolhouse.settings import Settings
from schoolhouse.web.failures import LONGEST_GOAL
from schoolhouse.web.signing_in import let_in, own_path
from schoolhouse.web.state import state_of

router = APIRouter(prefix="/sign-in/openid", include_in_schema=False)

_COOKIE: Final = "schoolhouse_openid"
_LIFE_SECONDS: Final = 600
_TIMEOUT_SECONDS: Final = 10
_ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")
_LEEWAY_SECONDS: Final = 60


@dataclass(frozen=True)
class Pending:
    """A sign-in that waits for the provider's answer."""

    state: str
    nonce: str
    verifier: str
    goal: str


@dataclass(frozen=True)
class Provider:
    """Where the provider does what, as its discovery document says."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


@router.get("")
def begin(request: Request, next: str = Query("/", max_length=LONGEST_GOAL)) -> Response:  # noqa: A002 - part of the address
    """Send the browser to the provider."""
    settings = _settings(request)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    pending = Pending(state, nonce, verifier, own_path(next))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": settings.oidc_client_id,
        "redirect_uri": _redirect_uri(request),
        "scope": "openid email profile",
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = RedirectResponse(f"{_discover(settings).authorization_endpoint}?{urlencode(asked)}", 303)
    kept = base64.urlsafe_b64encode(json.dumps(asdict(pending)).encode()).decode()
    is_secure = request.url.scheme == "https" or settings.public_url.startswith("https:")
    answer.set_cookie(
        _COOKIE, kept, max_age=_LIFE_SECONDS, path="/sign-in/openid", httponly=True, samesite="lax", secure=is_secure
    )
    return answer


@router.get("/answer")
def finish(
    request: Request,
    code: str = Query("", max_length=4000),
    state: str = Query("", max_length=200),
    error: str = Query("", max_length=200),
) -> Response:
    """Take the provider's answer, and sign in whom it names."""
    settings = _settings(request)
    pending = _pending(request)
    if not pending or not hmac.compare_digest(pending.state.encode(), state.encode()):
        raise NotSignedIn("This sign-in was not begun here, or too long ago.", hint="Begin again at /sign-in.")
    if error or not code:
        raise NotSignedIn("The identity provider let nobody in.", hint="Begin again at /sign-in.")
    provider = _discover(settings)
    claims = _claims(
        settings, provider, _exchange(request, settings, provider, (code, pending.verifier)), pending.nonce
    )
    person = _person(state_of(request).database.engine, settings, claims)
    answer = let_in(request, person, pending.goal)
    answer.delete_cookie(_COOKIE, path="/sign-in/openid")
    return answer


def is_set_up(settings: Settings) -> bool:
    """Whether the settings name an identity provider."""
    return bool(settings.oidc_issuer and settings.oidc_client_id)


def _settings(request: Request) -> Settings:
    settings = state_of(request).settings
    if not is_set_up(settings):
        raise NotFound("No identity provider is set up.", hint="OIDC_ISSUER and OIDC_CLIENT_ID name one.")
    return settings


def _redirect_uri(request: Request) -> str:
    base = state_of(request).settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return f"{base}/sign-in/openid/answer"


def _pending(request: Request) -> Pending | None:
    try:
        return Pending(**json.loads(base64.urlsafe_b64decode(request.cookies.get(_COOKIE, ""))))
    except (ValueError, TypeError):
        return None


def _discover(settings: Settings) -> Provider:
    issuer = settings.oidc_issuer.rstrip("/")
    found = _fetch("GET", f"{issuer}/.well-known/openid-configuration")
    try:
        provider = Provider(**{name: str(found[name]) for name in Provider.__annotations__})
    except KeyError as error:
        raise IdentityProviderError(f"The identity provider does not say its {error.args[0]}.") from None
    if provider.issuer.rstrip("/") != issuer:
        raise IdentityProviderError("The identity provider calls itself otherwise than OIDC_ISSUER.")
    return provider


def _exchange(request: Request, settings: Settings, provider: Provider, proof: tuple[str, str]) -> str:
    code, verifier = proof
    sent = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": _redirect_uri(request),
        "client_id": settings.oidc_client_id,
        "client_secret": settings.oidc_client_secret.get_secret_value(),
        "code_verifier": verifier,
    }
    found = _fetch("POST", provider.token_endpoint, data={name: value for name, value in sent.items() if value})
    return str(found.get("id_token", ""))


def _claims(settings: Settings, provider: Provider, id_token: str, nonce: str) -> dict[str, Any]:
    """What the provider says about somebody, when it is signed by it, meant for us, fresh, and an answer to us."""
    try:
        keys = KeySet.import_key_set(_fetch("GET", provider.jwks_uri))  # type: ignore[arg-type]
        token = jwt.decode(id_token, keys, algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": settings.oidc_client_id},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(token.claims)
    except (JoseError, ValueError, KeyError, TypeError):
        raise NotSignedIn(
            "The answer of the identity provider does not hold.", hint="Begin again at /sign-in."
        ) from None
    return dict(token.claims)


def _person(engine: Engine, settings: Settings, claims: dict[str, Any]) -> Person:
    identity = f"{claims['iss']} {claims['sub']}"
    if person := person_by_identity(engine, identity):
        return person
    address = str(claims.get("email", "")).strip().lower() if claims.get("email_verified") is True else ""
    if address and (person := link_identity(engine, address, identity)):
        return person
    if settings.oidc_default_role and address:
        return add_person(engine, NewAccount(address, settings.oidc_default_role, identity=identity))
    raise NotSignedIn("You have no account here yet.", hint="Ask an admin for one, named by your e-mail address.")


def _fetch(method: str, url: str, data: dict[str, str] | None = None) -> dict[str, Any]:
    try:
        answer = httpx.request(method, url, data=data, timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise IdentityProviderError("The identity provider does not answer as it should.") from None
    if not isinstance(found, dict):
        raise IdentityProviderError("The identity provider does not answer as it should.")
    return found
