"""A site with accounts, and people who visit it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from pydantic import SecretStr
from sqlalchemy import Engine

from schoolhouse.accounts.people import NewAccount, add_person
from schoolhouse.accounts.scopes import Scope
from schoolhouse.accounts.tokens import create_token
from schoolhouse.settings import Settings
from tests.given import HOST
from tests.web.conftest import Reply, Site, serving

PASSWORD = "correct horse battery"
ACCOUNTS = (
    NewAccount("root", "admin", PASSWORD),
    NewAccount("ann", "instructor", PASSWORD, sections=[Scope(HOST, 42)]),
    NewAccount("bo", "instructor", sections=[Scope("https://other.example", 42)]),
    NewAccount("cy", "author", PASSWORD, projects=[Scope(HOST, 7)]),
    NewAccount("di", "analyst", PASSWORD),
)


@dataclass(frozen=True)
class PeopledSite:
    """A served app with accounts; `tokens` holds one of everybody."""

    site: Site
    tokens: Mapping[str, str]

    @property
    def engine(self) -> Engine:
        opened: Engine = self.site.app.state.schoolhouse.database.engine
        return opened

    def request(self, who: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who:
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        return self.site.request(method, path, body=body, headers=sent)

    def get(self, who: str, path: str, **headers: str) -> Reply:
        return self.request(who, "GET", path, **headers)

    def sign_in(self, name: str, password: str = PASSWORD, *, goal: str = "/", **headers: str) -> Reply:
        form = urlencode({"name": name, "password": password, "next": goal}).encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
        sent |= {header.replace("_", "-"): value for header, value in headers.items()}
        return self.site.request("POST", "/sign-in", body=form, headers=sent)


@contextmanager
def peopled(settings: Settings, directory: Path) -> Iterator[PeopledSite]:
    """Serve a warehouse that other tests use too, with a database of accounts of its own."""
    database = SecretStr(f"sqlite:///{directory / 'accounts.sqlite'}")
    with serving(settings.model_copy(update={"database_url": database})) as site:
        engine = site.app.state.schoolhouse.database.engine
        for account in ACCOUNTS:
            add_person(engine, account)
        yield PeopledSite(site, {each.name: create_token(engine, each.name, "tests") for each in ACCOUNTS})
